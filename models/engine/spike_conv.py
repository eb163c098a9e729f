"""Convolution on the CPU: the weights of the channels that fire are added up, and the others not touched.

A spike is 0 or 1, so a convolution is a sum of the rows of its weights whose input fired: no product is needed, and at
the firing rates of these models four out of five additions are not, either. BatchNorm, the shortcut and the neuron over
all T steps follow while the sums lie in the cache; what leaves the kernel (:mod:`.spike_kernels`) are spikes, eight to
a byte.

**The order of the sums is ours, and the same on every processor**, so that answers are the same bit for bit. In
float32, from zero: tap by tap of the filter, row by row from its upper left corner; of each tap, channel by channel;
an input that is no spike is multiplied in the same rounding (a fused multiply-add). At last comes one more fused
multiply-add, with the factor and the summand of :class:`~primesvt.models.engine.filters.Filters`.

**Where most of the input is not zero**, such as an image, it is faster to multiply all of it, zeros too: several
positions share each row of weights then. The order is the same, and a zero changes no sum (one that begins with +0
never becomes -0).

The weights are cut into slices that stay in the first-level cache while a tile of positions passes over them, as in
K. Goto and R. van de Geijn, *Anatomy of High-Performance Matrix Multiplication*, ACM TOMS 34, 2008.

:mod:`~primesvt.models.layers.sparse_conv`, for training, is no use here: the order of its sums is its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np
import torch

from ..layers.kernels import LOCK
from . import simd
from .activations import BIT_COUNTS, BYTE, Frames, Spikes, byte_count
from .filters import Filters
from .spike_kernels import convolve

# What a convolution does with its input: add what is not zero, or multiply all. The sums are the same bit for bit.
Way = Literal["sparse", "dense"]
# Rows of weights per slice: a fifth of them are touched, so that a slice of 64 outputs stays in the first-level cache.
_SLICE_ROWS = 200
_TASKS_PER_THREAD = 4

# Of every byte, the numbers of its bits that are set, and how many they are.
_COUNTS = BIT_COUNTS.astype(np.int64)
_BITS = np.zeros((256, BYTE), np.int32)
for _value in range(256):
    _BITS[_value, : _COUNTS[_value]] = [bit for bit in range(BYTE) if _value >> bit & 1]


@dataclass(frozen=True)
class Neuron:
    """Constants of the neuron that follows."""

    tau: float
    threshold: float

    @property
    def constants(self) -> tuple[np.float32, np.float32, np.float32]:
        """As the kernels take them: tau, its inverse if that is exact or else 0, and the threshold."""
        tau = np.float32(self.tau)
        inverse = 1 / tau if np.frexp(tau)[0] == 0.5 else np.float32(0)
        return tau, inverse, np.float32(self.threshold)


class SpikeConv:
    """One or several convolutions of the same input, in the layout of the kernel.

    Args:
        layers: The convolutions; all read the same channels with the same filter size and stride.
    """

    def __init__(self, layers: Sequence[Filters]) -> None:
        first = layers[0]
        _, inputs, self.kernel, _ = first.weight.shape
        self.stride = first.stride
        self.widths = [len(layer.weight) for layer in layers]
        self.starts = np.cumsum([0, *(byte_count(width) * BYTE for width in self.widths)])
        self._weights, self._blocks = _blocked(self._joined([_rows(layer.weight).numpy() for layer in layers]))
        self._scale = self._joined([layer.scale for layer in layers])
        self._shift = self._joined([layer.shift for layer in layers])
        self._segments = _segments(self.kernel**2, inputs)
        firsts = self._segments[np.unique(self._segments[:, 4], return_index=True)[1], 3]
        self._parts = np.array([*firsts, self.kernel**2 * inputs])
        # Infinity times nothing is no number.
        self._finite = bool(np.isfinite(self._weights).all())

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        """The parts side by side along the last dimension, each on whole bytes, zeros between."""
        joined = np.zeros((*parts[0].shape[:-1], int(self.starts[-1])), np.float32)
        for part, start in zip(parts, self.starts, strict=False):
            joined[..., start : start + part.shape[-1]] = part
        return joined

    def way(self, x: Spikes | Frames) -> Way:
        """How it is computed: told by the share of the first image's last frame that is not zero, which costs nothing.

        The fewer the outputs, the more does it matter that a row has to be looked up before it is added.
        """
        outputs, share = sum(self.widths), x.with_rows(x.rows()[-1:, :1]).density
        most = outputs / (outputs + 48) if isinstance(x, Spikes) else 0.8 * outputs / (outputs + 16)
        return "dense" if self._finite and share > most else "sparse"

    def spikes(self, x: Spikes | Frames, neuron: Neuron, steps: int | None = None) -> list[Spikes]:
        """The spikes of the neurons behind each convolution; those of one frame may have several steps."""
        bits = self._empty(x, np.uint8, int(self.starts[-1]) // BYTE, steps)
        self._run(x, neuron, bits=bits)
        starts = self.starts // BYTE
        return [
            Spikes(bits[..., a:b] if len(self.widths) > 1 else bits, width)
            for a, b, width in zip(starts, starts[1:], self.widths, strict=False)
        ]

    def frames(self, x: Spikes | Frames) -> Frames:
        """The potentials behind BatchNorm; of a single convolution."""
        out = self._empty(x, np.float32, self.widths[0])
        self._run(x, None, out=out)
        return Frames(out)

    def add_frames(
        self, x: Spikes | Frames, stream: Frames, channels: np.ndarray | None, neuron: Neuron | None
    ) -> tuple[Frames, Spikes | None]:
        """The stream with the potentials added to the given channels, and its spikes where there is a neuron."""
        out = np.empty(stream.values.shape, np.float32)
        bits = None if neuron is None else self._empty(x, np.uint8, byte_count(stream.channels))
        self._run(x, neuron, bits=bits, out=out, stream=stream.values, channels=channels)
        return Frames(out), None if bits is None else Spikes(bits, stream.channels)

    def add_spikes(self, x: Spikes | Frames, stream: Frames, channels: np.ndarray | None, neuron: Neuron) -> Frames:
        """The stream with the spikes of the neurons added to the given channels."""
        out = np.empty(stream.values.shape, np.float32)
        self._run(x, neuron, out=out, stream=stream.values, channels=channels, spiking=True)
        return Frames(out)

    def _empty(self, x: Spikes | Frames, dtype: type, width: int, steps: int | None = None) -> np.ndarray:
        frames, images, height, wide = x.shape[:4]
        return np.empty((steps or frames, images, -(-height // self.stride), -(-wide // self.stride), width), dtype)

    def _run(
        self,
        x: Spikes | Frames,
        neuron: Neuron | None,
        *,
        bits: np.ndarray | None = None,
        out: np.ndarray | None = None,
        stream: np.ndarray | None = None,
        channels: np.ndarray | None = None,
        spiking: bool = False,
    ) -> None:
        height, width = x.shape[2:4]
        high, wide = -(-height // self.stride), -(-width // self.stride)
        with LOCK:
            convolve(
                _rows_of(x.bits if isinstance(x, Spikes) else None, np.uint8),
                _rows_of(x.values if isinstance(x, Frames) else None, np.float32),
                (height, width, high, wide, self.kernel, self.stride),
                self._segments,
                self._weights,
                self._blocks,
                self._scale,
                self._shift,
                (np.float32(1),) * 3 if neuron is None else neuron.constants,
                _rows_of(bits, np.uint8),
                _rows_of(out, np.float32),
                _rows_of(stream, np.float32),
                np.arange(self.widths[0]) if channels is None else channels,
                (channels is None, spiking),
                numba.get_num_threads() * _TASKS_PER_THREAD,
                _BITS,
                _COUNTS,
                self._parts,
                self.way(x) == "dense",
            )


def _rows_of(array: np.ndarray | None, dtype: type) -> np.ndarray:
    """An array ``[T, N, H, W, C]`` as ``[T, N * H * W, C]``; an empty one where there is none."""
    return np.empty((0, 0, 0), dtype) if array is None else array.reshape(array.shape[0], -1, array.shape[-1])


def _rows(weight: torch.Tensor) -> torch.Tensor:
    """Weights ``[C', C, k, k]`` as rows ``[k * k * C, C']`` in the order in which they are added."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2)


def _segments(taps: int, inputs: int) -> np.ndarray:
    """The rows of so many taps in runs of whole bytes, and these in slices; see :mod:`.spike_kernels`."""
    width, most, found, part, taken = byte_count(inputs), _SLICE_ROWS // BYTE, [], 0, 0
    for tap in range(taps):
        for first in range(0, width, most):
            end = min(width, first + most)
            if taken and taken + end - first > most:
                part, taken = part + 1, 0
            found.append((tap, first, end, tap * inputs + first * BYTE, part))
            taken += end - first
    return np.array(found)


def _blocked(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``[R, C']`` cut along the outputs into the widths of the kernel, one after the other in memory.

    Returns:
        All numbers in one array, and per block its first output, its width, and where it begins.
    """
    blocks, parts, first, place = [], [], 0, 0
    while first < rows.shape[1]:
        width = next(w for w in simd.WIDTHS if w <= rows.shape[1] - first)
        parts.append(rows[:, first : first + width].reshape(-1))
        blocks.append((first, width, place))
        first, place = first + width, place + parts[-1].size
    return np.concatenate(parts), np.array(blocks)
