"""Convolution of spikes on the CPU: the weights of the channels that fire are added up, and the others not touched.

A spike is 0 or 1, so a convolution is a sum of the rows of its weights whose input fired: no product is needed, and at
the firing rates of these models four out of five additions are not, either. BatchNorm, the shortcut and the neuron over
all T steps follow while the sums lie in the cache; what leaves the kernel are spikes, eight to a byte.

Equal to PyTorch bit for bit: leaving out zeros changes no sum, and the others are added in the order in which PyTorch's
convolution on this machine adds them (:mod:`.summation` finds it out). An input that counts spikes, or any other float,
is multiplied in the same rounding as PyTorch's fused multiply-add.

The weights are cut into slices that stay in the first-level cache while a tile of positions passes over them, as in
K. Goto and R. van de Geijn, *Anatomy of High-Performance Matrix Multiplication*, ACM TOMS 34, 2008.

:mod:`~primesvt.models.layers.sparse_conv`, for training, is no use here: the order of its sums is its own.
"""

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np
import torch
from numba import prange
from torch import nn

from ..layers.kernels import LOCK, compiled
from . import simd
from .activations import BYTE, Frames, Spikes, byte_count

# Rows of weights per slice: a fifth of them are touched, so that a slice of 64 outputs stays in the first-level cache.
_SLICE_ROWS = 200
# Positions times time steps that share a slice before the next one is fetched.
_TILE = 128
_TASKS_PER_THREAD = 4

# Of every byte, the numbers of its bits that are set, and how many they are.
_BITS = np.zeros((256, BYTE), np.int32)
_COUNTS = np.array([value.bit_count() for value in range(256)], np.int64)
for _value in range(256):
    _BITS[_value, : _COUNTS[_value]] = [bit for bit in range(BYTE) if _value >> bit & 1]


@dataclass(frozen=True)
class Order:
    """In which order PyTorch's convolution adds up, as far as it shows in the result.

    Args:
        span: Bytes of input channels that go through all taps of the filter before the next ones do.
        chunk: Rows that are summed up on their own before they are added to the total; 0 where all are one chain.
        bias: Whether the first run begins with the bias (``begun``), is added to it (``first``), or whether it is added
            to the whole sum (``last``).
    """

    span: int = 1
    chunk: int = 0
    bias: Literal["begun", "first", "last"] = "begun"


@dataclass(frozen=True)
class Neuron:
    """Constants of the neuron that follows."""

    tau: float
    threshold: float

    @property
    def constants(self) -> tuple[np.float32, np.float32]:
        """As the kernel takes them."""
        return np.float32(self.tau), np.float32(self.threshold)


class SpikeConv:
    """One or several convolutions of the same input, each with its BatchNorm, in the layout of the kernel.

    Args:
        convs: The convolutions; all read the same channels with the same filter size and stride.
        scales: The factor of each one's BatchNorm, by channel.
        shifts: What it adds.
        order: In which order PyTorch adds up.
        fused: Whether its BatchNorm multiplies and adds in one rounding.
    """

    def __init__(
        self,
        convs: list[nn.Conv2d],
        scales: list[torch.Tensor],
        shifts: list[torch.Tensor],
        order: Order,
        *,
        fused: bool = False,
    ) -> None:
        first = convs[0]
        self.order, self.fused = order, fused
        self.kernel, self.stride = int(first.kernel_size[0]), int(first.stride[0])
        self.widths = [conv.out_channels for conv in convs]
        self.starts = np.cumsum([0, *(byte_count(width) * BYTE for width in self.widths)])
        width = int(self.starts[-1])
        self.groups = -(-byte_count(first.in_channels) // order.span)
        rows = [_rows(conv.weight.detach(), self.groups, order.span) for conv in convs]
        self._weights, self._blocks = _blocked(self._joined(rows, width))
        self._scale, self._shift = self._joined(scales, width).numpy(), self._joined(shifts, width).numpy()
        biases = [
            torch.zeros(w) if c.bias is None else c.bias.detach() for c, w in zip(convs, self.widths, strict=True)
        ]
        self._bias = self._joined(biases, width).numpy()
        taps = self.kernel**2
        rows_per_group = order.span * BYTE * taps
        self._chunk = -(-(order.chunk or _SLICE_ROWS) // rows_per_group)

    def _joined(self, parts: list[torch.Tensor], width: int) -> torch.Tensor:
        """The parts side by side along the last dimension, each on whole bytes, zeros between."""
        joined = torch.zeros((*parts[0].shape[:-1], width))
        for part, start in zip(parts, self.starts, strict=False):
            joined[..., start : start + part.shape[-1]] = part.detach()
        return joined

    def spikes(self, x: Spikes | Frames, neuron: Neuron) -> list[Spikes]:
        """The spikes of the neurons behind each convolution."""
        bits = self._empty(x, np.uint8, int(self.starts[-1]) // BYTE)
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

    def _empty(self, x: Spikes | Frames, dtype: type, width: int) -> np.ndarray:
        steps, images, height, wide = x.shape[:4]
        return np.empty((steps, images, -(-height // self.stride), -(-wide // self.stride), width), dtype)

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
        last = self.order.bias == "last"
        biases = np.stack([np.zeros_like(self._bias) if last else self._bias, self._bias * np.float32(last)])
        with LOCK:
            _convolve(
                _rows_of(x.bits if isinstance(x, Spikes) else None, np.uint8),
                _rows_of(x.values if isinstance(x, Frames) else None, np.float32),
                (height, width, high, wide, self.kernel, self.stride),
                (self.order.span, self._chunk, self.order.chunk > 0, self.order.bias == "begun", self.fused),
                self._weights,
                self._blocks,
                biases,
                self._scale,
                self._shift,
                (np.float32(1), np.float32(1)) if neuron is None else neuron.constants,
                _rows_of(bits, np.uint8),
                _rows_of(out, np.float32),
                _rows_of(stream, np.float32),
                np.arange(self.widths[0]) if channels is None else channels,
                (channels is None, spiking),
                numba.get_num_threads() * _TASKS_PER_THREAD,
                _BITS,
                _COUNTS,
            )


def _rows_of(array: np.ndarray | None, dtype: type) -> np.ndarray:
    """An array ``[T, N, H, W, C]`` as ``[T, N * H * W, C]``; an empty one where there is none."""
    return np.empty((0, 0, 0), dtype) if array is None else array.reshape(array.shape[0], -1, array.shape[-1])


def _rows(weight: torch.Tensor, groups: int, span: int) -> torch.Tensor:
    """Weights ``[C', C, k, k]`` as rows ``[groups * k * k * span * 8, C']`` in the order in which they are added."""
    outputs, inputs, k, _ = weight.shape
    padded = weight.new_zeros((outputs, groups * span * BYTE, k, k))
    padded[:, :inputs] = weight
    grouped = padded.view(outputs, groups, span * BYTE, k, k)
    return grouped.permute(1, 3, 4, 2, 0).reshape(-1, outputs)


def _blocked(rows: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``[R, C']`` cut along the outputs into the widths of the kernel, one after the other in memory.

    Returns:
        All numbers in one array, and per block its first output, its width, and where it begins.
    """
    blocks, parts, first, place = [], [], 0, 0
    while first < rows.shape[1]:
        width = next(w for w in simd.WIDTHS if w <= rows.shape[1] - first)
        parts.append(rows[:, first : first + width].reshape(-1))
        blocks.append((first, width, place))
        first, place = first + width, place + parts[-1].numel()
    return torch.cat(parts).numpy(), np.array(blocks)


# The arrays of the kernel: `bits` uint8 and `floats` float32, both [T, positions, bytes or channels], of which one is
# empty; `indices` int32 and `values` float32, the rows to add one after the other; `bounds` [entries, slices + 1],
# where the rows of an entry and a slice begin; `sums` [entries, outputs]. An entry is a position at a time step.


@compiled(parallel=False, inline="always")
def _list_spikes(bits, t, places, span, group, numbers, counts, indices, n):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Append the rows of one group of bytes whose input fired; returns the new length of the list."""
    taps, end = places.shape[0], min(bits.shape[2], (group + 1) * span)
    for tap in range(taps):
        place = places[tap]
        if place >= 0:
            row = np.int32((group * taps + tap) * span * BYTE)
            for b in range(group * span, end):
                value = bits[t, place, b]
                # Eight at once, of which only so many count as are set.
                simd.list_bits(indices + n * 4, numbers + np.int64(value) * 32, row)
                n += counts[value]
                row += np.int32(BYTE)
    return n


@compiled(parallel=False, inline="always")
def _list_floats(floats, t, places, span, group, indices, values, n):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """As :func:`_list_spikes`, of an input in floats, which is listed with its row."""
    taps, first, end = places.shape[0], group * span * BYTE, min(floats.shape[2], (group + 1) * span * BYTE)
    for tap in range(taps):
        place = places[tap]
        if place >= 0:
            row = np.int32((group * taps + tap) * span * BYTE - first)
            for c in range(first, end):
                # What is written here stays only if it is not zero.
                indices[n] = row + np.int32(c)
                values[n] = floats[t, place, c]
                n += np.int64(floats[t, place, c] != 0)
    return n


@compiled(parallel=False)
def _list_tile(bits, floats, geometry, order, start, stop, numbers, counts, places, indices, values, bounds):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """List the rows of all entries of a tile of positions, slice by slice."""
    height, width, high, wide, k, stride = geometry
    span, chunk, groups, steps = order
    weighted = floats.shape[0] > 0
    n = 0
    for q in range(start, stop):
        image, rest = q // (high * wide), q % (high * wide)
        y, x = rest // wide * stride - k // 2, rest % wide * stride - k // 2
        tap = 0
        for iy in range(y, y + k):
            for ix in range(x, x + k):
                inside = 0 <= iy < height and 0 <= ix < width
                places[tap] = (image * height + iy) * width + ix if inside else -1
                tap += 1
        for t in range(steps):
            entry = (q - start) * steps + t
            bounds[entry, 0] = n
            for group in range(groups):
                if weighted:
                    n = _list_floats(floats, t, places, span, group, indices, values, n)
                else:
                    n = _list_spikes(bits, t, places, span, group, numbers.ctypes.data, counts, indices.ctypes.data, n)
                if (group + 1) % chunk == 0 or group == groups - 1:
                    bounds[entry, group // chunk + 1] = n


@compiled(parallel=False)
def _sum_tile(weights, blocks, weighted, alone, entries, indices, values, bounds, sums):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add up the listed rows of every entry: a slice of the weights serves the whole tile before the next one does.

    ``alone``: whether the first slice, and whether every other one, is summed up on its own before it is added.
    """
    outputs = sums.shape[1]
    for block in range(blocks.shape[0]):
        width, rows = blocks[block, 1], weights.ctypes.data + blocks[block, 2] * 4
        for part in range(bounds.shape[1] - 1):
            for entry in range(entries):
                first = bounds[entry, part]
                simd.add_rows(
                    width,
                    weighted,
                    alone[min(part, 1)],
                    sums.ctypes.data + (entry * outputs + blocks[block, 0]) * 4,
                    rows,
                    indices.ctypes.data + first * 4,
                    values.ctypes.data + (first * 4 if weighted else 0),
                    bounds[entry, part + 1] - first,
                )


@compiled(parallel=False)
def _normalize(sums, entries, bias, scale, shift, fused):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """BatchNorm, on the sums and a bias that is still to be added."""
    for entry in range(entries):
        row = sums[entry]
        if fused:
            for j in range(row.shape[0]):
                row[j] = simd.fma(row[j] + bias[j], scale[j], shift[j])
        else:
            for j in range(row.shape[0]):
                row[j] = (row[j] + bias[j]) * scale[j] + shift[j]


@compiled(parallel=False, inline="always")
def _fire(v, current, neuron, bits):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One time step of a row of neurons, potentials ``v`` and currents eight to a byte of ``bits``."""
    tau, threshold = neuron
    for b in range(bits.shape[0]):
        bits[b] = simd.integrate(v.ctypes.data + b * 32, current.ctypes.data + b * 32, tau, threshold)


@compiled(parallel=False, inline="always")
def _shortcut(row, before, channels, everywhere, current, after):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add a row to the channels of the stream that it reaches."""
    for j in range(before.shape[0]):
        current[j] = before[j]
    if everywhere:
        for j in range(channels.shape[0]):
            current[j] += row[j]
    else:
        for j in range(channels.shape[0]):
            current[channels[j]] += row[j]
    for j in range(before.shape[0]):
        after[j] = current[j]


@compiled(parallel=False)
def _emit(sums, start, stop, steps, neuron, fired, out, stream, channels, flags, v, current, own):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """What follows BatchNorm: neuron, shortcut, and what is kept of both."""
    everywhere, spiking = flags
    fires, keeps, adds = fired.shape[0] > 0, out.shape[0] > 0, stream.shape[0] > 0
    for q in range(start, stop):
        v[:] = 0
        for t in range(steps):
            row = sums[(q - start) * steps + t]
            if spiking:
                _fire(v, row, neuron, own)
                for j in range(channels.shape[0]):
                    row[j] = np.float32((own[j // BYTE] >> np.uint8(j % BYTE)) & np.uint8(1))
            if adds:
                _shortcut(row, stream[t, q], channels, everywhere, current, out[t, q])
            elif keeps:
                for j in range(out.shape[2]):
                    out[t, q, j] = row[j]
            if fires:
                _fire(v, current if adds else row, neuron, fired[t, q])


@compiled
def _convolve(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    bits, floats, geometry, order, weights, blocks, biases, scale, shift, neuron, fired, out, stream, channels, flags,
    tasks, numbers, counts,
):  # fmt: skip
    """Tiles of positions, shared among tasks; see :class:`SpikeConv`."""
    k = geometry[4]
    span, chunk, fresh, begins, fused = order
    weighted = floats.shape[0] > 0
    steps, positions = max(floats.shape[0], bits.shape[0]), max(fired.shape[1], out.shape[1])
    inputs, outputs = max(floats.shape[2], bits.shape[2] * BYTE), scale.shape[0]
    groups = ((inputs + BYTE - 1) // BYTE + span - 1) // span
    # Whole rows of the stream take part in its neuron.
    row = max(outputs, (stream.shape[2] + BYTE - 1) // BYTE * BYTE)
    tile = max(1, _TILE // steps)
    tiles = (positions + tile - 1) // tile
    for task in prange(tasks):
        indices = np.empty(tile * steps * groups * span * BYTE * k * k + BYTE, np.int32)
        values = np.empty(indices.shape[0] if weighted else 1, np.float32)
        bounds = np.empty((tile * steps, (groups + chunk - 1) // chunk + 1), np.int64)
        sums = np.empty((tile * steps, outputs), np.float32)
        current, v = np.zeros(row, np.float32), np.empty(row, np.float32)
        own, places = np.empty(outputs // BYTE, np.uint8), np.empty(k * k, np.int64)
        for number in range(tiles * task // tasks, tiles * (task + 1) // tasks):
            start, stop = number * tile, min(positions, (number + 1) * tile)
            entries = (stop - start) * steps
            _list_tile(
                bits, floats, geometry, (span, chunk, groups, steps), start, stop, numbers, counts,
                places, indices, values, bounds,
            )  # fmt: skip
            for entry in range(entries):
                sums[entry] = biases[0]
            _sum_tile(weights, blocks, weighted, (fresh and not begins, fresh), entries, indices, values, bounds, sums)
            _normalize(sums, entries, biases[1], scale, shift, fused)
            _emit(sums, start, stop, steps, neuron, fired, out, stream, channels, flags, v, current, own)
