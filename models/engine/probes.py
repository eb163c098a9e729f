"""How often a layer is driven by what it reads: counted from an activation, whatever the weights are.

Every probe counts three numbers of each image and time step: how many times a row of the layer's weights is used (or,
where there are no weights, how many additions there are), how many spikes are read, and among how many neurons.
Multiplied by the length of such a row, the first is the number of synaptic operations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numba import prange

from ..layers.kernels import LOCK, compiled
from .activations import BYTE, Activation, Frames, Plain, Spikes
from .simd import ones


class Probe(Protocol):
    """Counts; two that are equal count the same of the same activations."""

    def __call__(self, read: Sequence[Activation], images: int) -> np.ndarray:
        """Uses, spikes and neurons, float64 ``[3, T, N]``, of what a layer reads.

        Args:
            read: Activations of ``N`` images, of which the first dimensions are time steps and images, or both in one.
            images: N.
        """


@dataclass(frozen=True)
class Window:
    """The windows of a filter along one side of a frame.

    Args:
        taps: Length of the filter.
        stride: From one window to the next.
        padding: Zeros on either side.
        dilation: From one tap to the next.
    """

    taps: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def count(self, size: int) -> int:
        """How many windows a side has."""
        return (size + 2 * self.padding - self.dilation * (self.taps - 1) - 1) // self.stride + 1

    def reach(self, size: int) -> np.ndarray:
        """In how many windows each pixel of a side lies, int64 ``[size]``: fewer at the border, or between strides."""
        return _reach(self, size)


@lru_cache(256)
def _reach(window: Window, size: int) -> np.ndarray:
    starts = np.arange(window.count(size)) * window.stride - window.padding
    taps = starts[:, None] + np.arange(window.taps) * window.dilation
    inside = taps[(taps >= 0) & (taps < size)]
    return np.bincount(inside, minlength=size)


@dataclass(frozen=True)
class Driven:
    """A layer that adds up a row of weights for every spike, and every window it lies in; or a plain sum of spikes.

    A sum of several spikes drives as often as they are.
    """

    rows: Window = Window()
    columns: Window = Window()

    def __call__(self, read: Sequence[Activation], images: int) -> np.ndarray:
        """As :class:`Probe`."""
        (x,) = read
        steps, height, width, channels = shape_of(x, images)
        reach = self.rows.reach(height), self.columns.reach(width)
        counted = np.empty((3, steps * images))
        counted[2] = height * width * channels
        if isinstance(x, Spikes):
            with LOCK:
                _count(x.bits.reshape(steps * images, height, -1), *reach, counted)
        elif isinstance(x, Frames):
            with LOCK:
                _sum(x.values.reshape(-1, *x.shape[2:]), *reach, counted)
        elif self.rows == self.columns == Window():
            # Each pixel lies in a window of its own: no need to know where spikes are.
            counted[:2] = _sequence(x, images).sum((2, 3, 4), dtype=torch.float64).flatten().numpy()
        else:
            # Float32 holds the whole numbers of a pixel exactly.
            pixels = _sequence(x, images).sum(2).double().flatten(0, 1).numpy()
            counted[:2] = (pixels @ reach[1]) @ reach[0], pixels.sum((1, 2))
        return counted.reshape(3, steps, images)


@dataclass(frozen=True)
class Dense:
    """A layer that multiplies all that it reads, which are no spikes: its uses are its windows, padding and all."""

    rows: Window = Window()
    columns: Window = Window()

    def __call__(self, read: Sequence[Activation], images: int) -> np.ndarray:
        """As :class:`Probe`."""
        (x,) = read
        steps, height, width, _ = shape_of(x, images)
        counted = np.zeros((3, steps, images))
        counted[0] = self.rows.count(height) * self.columns.count(width)
        return counted


@dataclass(frozen=True)
class Attended:
    """Attention as two products of matrices per head, ``(value key^T) query``.

    Of the first product both factors are spikes: it adds where a value and a key of one token fire together. The second
    adds a column of the first one's result, as long as a head's value is wide, for every spike of the query.
    """

    heads: int

    def __call__(self, read: Sequence[Activation], images: int) -> np.ndarray:
        """As :class:`Probe`; reads query, key and value."""
        query, key, value = (shape_of(x, images) for x in read)
        counted = np.empty((3, query[0] * images))
        counted[2] = sum(math.prod(shape[1:]) for shape in (query, key, value))
        wide, narrow = value[3] // self.heads, key[3] // self.heads
        bits = [_bits(x, images) for x in read]
        with LOCK:
            _attend(*bits, wide, narrow, self.heads, counted)
        return counted.reshape(3, query[0], images)


def shape_of(x: Activation, images: int) -> tuple[int, int, int, int]:
    """Time steps, height, width and channels of an activation of so many images."""
    if isinstance(x, Plain):
        steps, _, channels, height, width = _sequence(x, images).shape
    else:
        steps, _, height, width, channels = x.shape
    return steps, height, width, channels


def _sequence(x: Plain, images: int) -> torch.Tensor:
    """As ``[T, N, C, H, W]``, whatever of it is missing, and however time steps, or heads, are laid out."""
    tensor = x.tensor
    if tensor.ndim < 4:
        return tensor.reshape(-1, images, tensor.shape[-1], 1, 1)
    tensor = tensor.flatten(2, 3) if tensor.ndim > 5 else tensor
    return tensor.reshape(-1, images, *tensor.shape[-3:])


def _bits(x: Activation, images: int) -> np.ndarray:
    """Spikes of all tokens, uint8 ``[T * N, H * W, ceil(C / 8)]``."""
    frames = Plain(_sequence(x, images)).frames() if isinstance(x, Plain) else x
    spikes = frames.spikes() if isinstance(frames, Frames) else frames
    return spikes.bits.reshape(-1, math.prod(spikes.shape[2:4]), spikes.bits.shape[-1])


@compiled(use="counting")
def _count(bits, rows, columns, counted):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, height, length = bits.shape
    width = len(columns)
    size = length // width
    # Most pixels of a row lie in as many windows as the one in the middle: all are counted as if they did.
    usual = columns[width // 2]
    for f in prange(frames):
        uses, spikes = np.int64(0), np.int64(0)
        for y in range(height):
            alone = np.int64(0)
            for b in range(length):
                alone += np.int64(ones(bits[f, y, b]))
            weighted = alone * usual
            for x in range(width):
                if columns[x] != usual:
                    fired = np.int64(0)
                    for b in range(x * size, (x + 1) * size):
                        fired += np.int64(ones(bits[f, y, b]))
                    weighted += fired * (columns[x] - usual)
            uses += weighted * rows[y]
            spikes += alone
        counted[0, f], counted[1, f] = uses, spikes


# Sums of whole numbers are the same in any order.
@compiled(use="counting", fastmath={"reassoc"})
def _sum(values, rows, columns, counted):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, height, width, channels = values.shape
    for f in prange(frames):
        uses, spikes = 0.0, 0.0
        for y in range(height):
            for x in range(width):
                fired = np.float32(0)
                for c in range(channels):
                    fired += values[f, y, x, c]
                uses += float(fired) * rows[y] * columns[x]
                spikes += float(fired)
        counted[0, f], counted[1, f] = uses, spikes


@compiled(use="counting", parallel=False, inline="always")
def _between(row, start, stop):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """How many bits from one place to another are set."""
    fired = np.int64(0)
    for b in range(start // BYTE, (stop + BYTE - 1) // BYTE):
        first, last = max(start - b * BYTE, 0), min(stop - b * BYTE, BYTE)
        fired += np.int64(ones(row[b] & np.uint8((1 << last) - (1 << first))))
    return fired


@compiled(use="counting")
def _attend(query, key, value, wide, narrow, heads, counted):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Uses and spikes of each frame; a head's value has ``wide`` channels, its query and key ``narrow``."""
    frames, tokens, _ = key.shape
    for f in prange(frames):
        uses, spikes = 0, 0
        for p in range(tokens):
            for h in range(heads):
                keys = _between(key[f, p], h * narrow, (h + 1) * narrow)
                values = _between(value[f, p], h * wide, (h + 1) * wide)
                driving = _between(query[f, p], h * narrow, (h + 1) * narrow)
                uses += keys * values + wide * driving
                spikes += keys + values + driving
        counted[0, f], counted[1, f] = uses, spikes
