"""The kernel of :class:`~primesvt.models.engine.spike_conv.SpikeConv`: from spikes to spikes, a tile at a time.

A tile is some positions with all of their time steps. Its rows of weights are listed, added up slice by slice,
normalised, and what follows the convolution is done with the sums while they lie in the cache.
"""

import numpy as np
from numba import prange

from ..layers.kernels import compiled
from . import simd
from .activations import BYTE

# Positions times time steps that share a slice before the next one is fetched.
_TILE = 128

# The arrays of the kernel: `bits` uint8 and `floats` float32, both [T, positions, bytes or channels], of which one is
# empty; `segments` int64 [S, 5], runs of rows that read one pixel: its tap, first byte and end, the first row and the
# slice; `places` [positions, taps], the pixels that a position reads, -1 for none; `indices` int32 and `values`
# float32, the rows to add one after the other; `bounds` [entries, slices + 1], where the rows of an entry and a slice
# begin; `sums` [entries, outputs]. An entry is a position at a time step.


@compiled(parallel=False, inline="always")
def _list_spikes(pixel, first, end, row, numbers, counts, indices, n):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Append the rows of some bytes of a pixel whose input fired; returns the new length of the list."""
    for b in range(first, end):
        value = pixel[b]
        # Eight at once, of which only so many count as are set.
        simd.list_bits(indices + n * 4, numbers + np.int64(value) * 32, np.int32(row + (b - first) * BYTE))
        n += counts[value]
    return n


@compiled(parallel=False, inline="always")
def _list_floats(pixel, first, end, row, indices, values, n):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """As :func:`_list_spikes`, of a pixel in floats, which are listed with their rows."""
    for c in range(first * BYTE, min(end * BYTE, pixel.shape[0])):
        # What is written here stays only if it is not zero.
        indices[n] = np.int32(row + c - first * BYTE)
        values[n] = pixel[c]
        n += np.int64(pixel[c] != 0)
    return n


@compiled(parallel=False)
def _find_pixels(geometry, start, stop, places):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The pixels that the positions of a tile read."""
    height, width, high, wide, k, stride = geometry
    for q in range(start, stop):
        image, rest = q // (high * wide), q % (high * wide)
        y, x = rest // wide * stride - k // 2, rest % wide * stride - k // 2
        tap = 0
        for iy in range(y, y + k):
            for ix in range(x, x + k):
                inside = 0 <= iy < height and 0 <= ix < width
                places[q - start, tap] = (image * height + iy) * width + ix if inside else -1
                tap += 1


@compiled(parallel=False)
def _list_tile(bits, floats, segments, positions, numbers, counts, places, indices, values, bounds):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """List the rows of all entries of a tile whose input is not zero, slice by slice."""
    frames, weighted = max(bits.shape[0], floats.shape[0]), floats.shape[0] > 0
    table, list_ = numbers.ctypes.data, indices.ctypes.data
    n = 0
    for q in range(positions):
        for t in range(frames):
            entry = q * frames + t
            bounds[entry, 0] = n
            for s in range(segments.shape[0]):
                place = places[q, segments[s, 0]]
                if place >= 0:
                    first, end, row = segments[s, 1], segments[s, 2], segments[s, 3]
                    if weighted:
                        n = _list_floats(floats[t, place], first, end, row, indices, values, n)
                    else:
                        n = _list_spikes(bits[t, place], first, end, row, table, counts, list_, n)
                bounds[entry, segments[s, 4] + 1] = n


@compiled(parallel=False)
def _sum_tile(weights, blocks, weighted, entries, indices, values, bounds, sums):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Add up the listed rows of every entry: a slice of the weights serves the whole tile before the next one does."""
    outputs = sums.shape[1]
    for block in range(blocks.shape[0]):
        width, rows = blocks[block, 1], weights.ctypes.data + blocks[block, 2] * 4
        for part in range(bounds.shape[1] - 1):
            for entry in range(entries):
                first = bounds[entry, part]
                simd.add_rows(
                    width,
                    weighted,
                    sums.ctypes.data + (entry * outputs + blocks[block, 0]) * 4,
                    rows,
                    indices.ctypes.data + first * 4,
                    values.ctypes.data + (first * 4 if weighted else 0),
                    bounds[entry, part + 1] - first,
                )


@compiled(parallel=False, inline="always")
def _spread_pixels(frame, place, pixels, inputs, at):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write spikes of neighbouring pixels as floats, eight at once: what is too much, the next pixel overwrites."""
    for pixel in range(pixels):
        for b in range(frame.shape[1]):
            simd.spread_bits(at + (pixel * inputs + b * BYTE) * 4, frame[place + pixel, b])


@compiled(parallel=False)
def _unfold_tile(bits, floats, geometry, start, stop, inputs, unfolded):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The numbers that all rows are multiplied with, entry by entry, zeros and all: the pixels of a window in turn."""
    height, width, high, wide, k, stride = geometry
    frames, weighted = max(bits.shape[0], floats.shape[0]), floats.shape[0] > 0
    image, rest = start // (high * wide), start % (high * wide)
    row, column = rest // wide, rest % wide
    entry, source, line = unfolded.ctypes.data, floats.ctypes.data, k * inputs
    for _ in range(start, stop):
        y, x = row * stride - k // 2, column * stride - k // 2
        left, right = max(0, -x), min(k, width - x)
        for t in range(frames):
            for iy in range(y, y + k):
                if iy < 0 or iy >= height or left > 0 or right < k:
                    simd.clear_floats(entry, line)
                if 0 <= iy < height:
                    place, at = (image * height + iy) * width + x + left, entry + left * inputs * 4
                    if weighted:
                        first = (t * floats.shape[1] + place) * inputs * 4
                        simd.copy_floats(at, source + first, (right - left) * inputs)
                    else:
                        _spread_pixels(bits[t], place, right - left, inputs, at)
                entry += line * 4
        column += 1
        if column == wide:
            column, row = 0, row + 1
            if row == high:
                row, image = 0, image + 1


@compiled(parallel=False)
def _multiply_tile(weights, blocks, parts, entries, unfolded, sums):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """As :func:`_sum_tile`, of all rows: the same sums in the same order, as what is not zero is all that counts."""
    outputs, length = sums.shape[1], unfolded.shape[1]
    for block in range(blocks.shape[0]):
        width, rows = blocks[block, 1], weights.ctypes.data + blocks[block, 2] * 4
        for part in range(parts.shape[0] - 1):
            first = parts[part]
            for entry in range(0, entries, simd.WIDTHS[0] // width):
                simd.multiply_rows(
                    width,
                    sums.ctypes.data + (entry * outputs + blocks[block, 0]) * 4,
                    outputs * 4,
                    rows + first * width * 4,
                    unfolded.ctypes.data + (entry * length + first) * 4,
                    length * 4,
                    parts[part + 1] - first,
                )


@compiled(parallel=False)
def _normalize(sums, entries, scale, shift):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """What BatchNorm and the bias do with the sums."""
    for entry in range(entries):
        row = sums[entry]
        for j in range(row.shape[0]):
            row[j] = simd.fma(row[j], scale[j], shift[j])


@compiled(parallel=False, inline="always")
def fire_row(v, current, neuron, bits):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One time step of a row of neurons, potentials ``v`` and currents eight to a byte of ``bits``."""
    tau, inverse, threshold = neuron
    for b in range(bits.shape[0]):
        bits[b] = simd.integrate(v.ctypes.data + b * 32, current.ctypes.data + b * 32, tau, inverse, threshold)


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
def _emit(sums, start, stop, frames, steps, neuron, fired, out, stream, channels, flags, v, current, own):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """What follows BatchNorm: neuron, shortcut, and what is kept of both. One frame serves all time steps."""
    everywhere, spiking = flags
    fires, keeps, adds = fired.shape[0] > 0, out.shape[0] > 0, stream.shape[0] > 0
    for q in range(start, stop):
        v[:] = 0
        for t in range(steps):
            row = sums[(q - start) * frames + (t if frames > 1 else 0)]
            if spiking:
                fire_row(v, row, neuron, own)
                for j in range(channels.shape[0]):
                    row[j] = np.float32((own[j // BYTE] >> np.uint8(j % BYTE)) & np.uint8(1))
            if adds:
                _shortcut(row, stream[t, q], channels, everywhere, current, out[t, q])
            elif keeps:
                for j in range(out.shape[2]):
                    out[t, q, j] = row[j]
            if fires:
                fire_row(v, current if adds else row, neuron, fired[t, q])


@compiled
def convolve(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    bits, floats, geometry, segments, weights, blocks, scale, shift, neuron, fired, out, stream,
    channels, flags, tasks, numbers, counts, parts, dense,
):  # fmt: skip
    """Tiles of positions, shared among tasks; see :class:`SpikeConv`."""
    taps, weighted = geometry[4] * geometry[4], floats.shape[0] > 0
    frames, outputs = max(floats.shape[0], bits.shape[0]), scale.shape[0]
    steps, positions = max(fired.shape[0], out.shape[0]), max(fired.shape[1], out.shape[1])
    last = segments[segments.shape[0] - 1]
    rows, slices = last[3] + (last[2] - last[1]) * BYTE, last[4] + 1
    inputs, further = parts[parts.shape[0] - 1] // taps, simd.WIDTHS[0] // simd.WIDTHS[-1] - 1
    # Whole rows of the stream take part in its neuron.
    row = max(outputs, (stream.shape[2] + BYTE - 1) // BYTE * BYTE)
    tile = max(1, _TILE // frames)
    tiles = (positions + tile - 1) // tile
    for task in prange(tasks):
        indices = np.empty(1 if dense else tile * frames * rows + BYTE, np.int32)
        values = np.empty(indices.shape[0] if weighted else 1, np.float32)
        bounds = np.empty((tile * frames, slices + 1), np.int64)
        # Entries are multiplied several at once: there are some more.
        sums = np.empty((tile * frames + further, outputs), np.float32)
        unfolded = np.zeros((tile * frames + further if dense else 0, inputs * taps), np.float32)
        current, v = np.zeros(row, np.float32), np.empty(row, np.float32)
        own, places = np.empty(outputs // BYTE, np.uint8), np.empty((tile, taps), np.int64)
        for number in range(tiles * task // tasks, tiles * (task + 1) // tasks):
            start, stop = number * tile, min(positions, (number + 1) * tile)
            entries = (stop - start) * frames
            sums[:] = 0
            if dense:
                _unfold_tile(bits, floats, geometry, start, stop, inputs, unfolded)
                _multiply_tile(weights, blocks, parts, entries, unfolded, sums)
            else:
                _find_pixels(geometry, start, stop, places)
                _list_tile(bits, floats, segments, stop - start, numbers, counts, places, indices, values, bounds)
                _sum_tile(weights, blocks, weighted, entries, indices, values, bounds, sums)
            _normalize(sums, entries, scale, shift)
            _emit(sums, start, stop, frames, steps, neuron, fired, out, stream, channels, flags, v, current, own)
