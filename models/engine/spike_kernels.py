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
def convolve(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
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
