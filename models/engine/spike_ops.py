"""What else the layers do with spikes, on their bits: firing, pooling, counting, masking."""

import numpy as np
import torch
from numba import prange
from torch.nn import functional as F

from ..layers.fused_neuron import charged
from ..layers.kernels import LOCK, compiled
from .activations import BYTE, Frames, Plain, Spikes, byte_count
from .spike_conv import Neuron
from .spike_kernels import fire_row

# Neurons of one channel that a task handles before it goes on to the next channel.
_RUN = 512


def fire(x: Frames | Plain, neuron: Neuron, steps: int) -> Spikes:
    """Spikes of the neurons that integrate a current ``[T, N, C, H, W]``, or a constant one ``[1, N, C, H, W]``."""
    if isinstance(x, Plain):
        t, images, channels, height, width = x.tensor.shape
        # A constant current comes expanded over T: one frame is read T times.
        frames = x.tensor[:1] if x.tensor.stride(0) == 0 else x.tensor
        current = frames.contiguous().view(-1, images, channels, height * width).numpy()
        bits = np.empty((steps, images, height, width, byte_count(channels)), np.uint8)
        with LOCK:
            _fire_planes(
                current,
                np.float32(neuron.tau),
                np.float32(neuron.threshold),
                bits.reshape(steps, images, height * width, -1),
            )
        return Spikes(bits, channels)
    t, images, height, width, channels = x.shape
    bits = np.empty((steps, images, height, width, byte_count(channels)), np.uint8)
    with LOCK:
        _fire_rows(
            x.values.reshape(t, -1, channels),
            neuron.constants,
            bits.reshape(steps, images * height * width, -1),
        )
    return Spikes(bits, channels)


def max_pool(x: Spikes | Frames) -> Spikes | Frames:
    """As :class:`~primesvt.models.layers.conv.MaxPool`: windows of 3x3, stride 2. Of spikes, any that fires."""
    t, images, height, width, channels = x.shape
    if isinstance(x, Frames):
        frames = torch.from_numpy(x.values).view(t * images, height, width, channels).permute(0, 3, 1, 2)
        pooled = F.max_pool2d(frames, 3, 2, 1).permute(0, 2, 3, 1).contiguous()
        return Frames(pooled.view(t, images, *pooled.shape[1:]).numpy())
    bits = np.empty((t, images, (height + 1) // 2, (width + 1) // 2, x.bits.shape[-1]), np.uint8)
    with LOCK:
        _pool(x.bits.reshape(-1, *x.bits.shape[2:]), bits.reshape(-1, *bits.shape[2:]))
    return Spikes(bits, channels)


def count(x: Spikes) -> Frames:
    """Spikes of every channel, summed over the positions: ``[T, N, 1, 1, C]``."""
    t, images, height, width, channels = x.shape
    out = np.empty((t, images, 1, 1, channels), np.float32)
    with LOCK:
        _count(x.bits.reshape(t * images, height * width, -1), out.reshape(t * images, channels))
    return Frames(out)


@compiled
def _fire_planes(x, tau, threshold, bits):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, images, channels, positions = x.shape
    steps, width = bits.shape[0], bits.shape[3]
    runs = (positions + _RUN - 1) // _RUN
    zero = np.float32(0)
    for task in prange(images * runs):
        image, start = task // runs, task % runs * _RUN
        stop = min(positions, start + _RUN)
        v = np.empty(_RUN, np.float32)
        spikes = np.empty((steps, _RUN), np.uint8)
        for b in range(width):
            spikes[:] = 0
            for bit in range(min(BYTE, channels - b * BYTE)):
                v[:] = zero
                for t in range(steps):
                    source = x[t if frames > 1 else 0, image, b * BYTE + bit]
                    own = spikes[t]
                    for i in range(stop - start):
                        over, v[i] = charged(v[i], source[start + i], tau, threshold)
                        own[i] |= np.uint8(over >= zero) << np.uint8(bit)
            for t in range(steps):
                for i in range(stop - start):
                    bits[t, image, start + i, b] = spikes[t, i]


@compiled
def _fire_rows(x, neuron, bits):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, positions, channels = x.shape
    steps, width = bits.shape[0], bits.shape[2]
    runs = (positions + 63) // 64
    for task in prange(runs):
        current = np.zeros(width * BYTE, np.float32)
        v = np.empty(width * BYTE, np.float32)
        for q in range(task * 64, min(positions, task * 64 + 64)):
            v[:] = 0
            for t in range(steps):
                source = x[t if frames > 1 else 0, q]
                for j in range(channels):
                    current[j] = source[j]
                fire_row(v, current, neuron, bits[t, q])


@compiled
def _pool(x, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, height, width, channels = x.shape
    high, wide = out.shape[1], out.shape[2]
    for task in prange(frames * high):
        f, y = task // high, task % high
        for c in range(wide):
            for b in range(channels):
                value = np.uint8(0)
                for iy in range(max(0, 2 * y - 1), min(height, 2 * y + 2)):
                    for ix in range(max(0, 2 * c - 1), min(width, 2 * c + 2)):
                        value |= x[f, iy, ix, b]
                out[f, y, c, b] = value


@compiled
def _count(x, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, positions, _ = x.shape
    for f in prange(frames):
        for c in range(out.shape[1]):
            total = 0
            for p in range(positions):
                total += (x[f, p, c // BYTE] >> np.uint8(c % BYTE)) & 1
            out[f, c] = total
