"""Convolution with one filter per channel: some channels of some neighbouring pixels go through the taps together.

The order of the sums is that of :mod:`.spike_conv`: from zero, tap by tap, each product added in one rounding.
"""

import numba
import numpy as np
from numba import prange

from ..layers.kernels import LOCK, compiled
from . import simd
from .activations import Activation, Frames
from .filters import Filters
from .simd import LANES, PIXELS


class Depthwise:
    """Such a convolution in the layout of the kernel.

    Args:
        filters: The layer; every filter reads one channel.
        border: What lies around the frames, float32 ``[C]``; zeros where it is None.
    """

    def __init__(self, filters: Filters, border: np.ndarray | None = None) -> None:
        channels, _, self._kernel, _ = filters.weight.shape
        self._stride = filters.stride
        self._taps = _blocks(filters.weight.reshape(channels, -1).t().numpy())
        self._norm = _blocks(np.stack((filters.scale, filters.shift)))
        self._border = _blocks(np.zeros((1, channels), np.float32) if border is None else border[None])

    def __call__(self, x: Activation) -> Frames:
        """What it makes of frames ``[T, N, C, H, W]``."""
        values, stride = x.frames().values, self._stride
        steps, images, height, width, channels = values.shape
        out = np.empty((steps, images, -(-height // stride), -(-width // stride), channels), np.float32)
        with LOCK:
            _convolve(
                values.reshape(-1, height, width, channels),
                self._taps,
                self._norm,
                self._border,
                (self._kernel, stride),
                out.reshape(-1, *out.shape[2:]),
                numba.get_num_threads(),
            )
        return Frames(out)


def _blocks(rows: np.ndarray) -> np.ndarray:
    """Rows ``[R, C]`` as ``[ceil(C / LANES), R, LANES]``, zeros behind the last channel."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // LANES) * LANES), np.float32)
    padded[:, : rows.shape[1]] = rows
    return np.ascontiguousarray(padded.reshape(len(rows), -1, LANES).swapaxes(0, 1))


@compiled(parallel=False, inline="always")
def _surround(frame, channel, count, border, k, padded):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Some channels of a frame with its border around it."""
    height, width, _ = frame.shape
    for y in range(padded.shape[0]):
        for x in range(padded.shape[1]):
            simd.copy_floats(padded[y, x].ctypes.data, border.ctypes.data, LANES)
        iy = y - k // 2
        if 0 <= iy < height:
            for x in range(width):
                simd.copy_floats(padded[y, x + k // 2].ctypes.data, frame[iy, x, channel:].ctypes.data, count)


@compiled
def _convolve(x, weights, norm, border, geometry, out, tasks):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, height, _, channels = x.shape
    _, high, wide, _ = out.shape
    k, stride = geometry
    groups, blocks = (wide + PIXELS - 1) // PIXELS, weights.shape[0]
    for task in prange(tasks):
        # The last pixels may be fewer: what is read for the others counts nowhere.
        padded = np.empty((height + k - 1, (groups * PIXELS - 1) * stride + k, LANES), np.float32)
        sums = np.empty((PIXELS, LANES), np.float32)
        line, step = padded.shape[1] * LANES * 4, stride * LANES * 4
        for number in range(frames * blocks * task // tasks, frames * blocks * (task + 1) // tasks):
            block, f = number // frames, number % frames
            channel = block * LANES
            count = min(LANES, channels - channel)
            _surround(x[f], channel, count, border[block, 0], k, padded)
            weight, factors = weights[block].ctypes.data, norm[block].ctypes.data
            for row in range(high):
                for column in range(0, wide, PIXELS):
                    source = padded[row * stride, column * stride].ctypes.data
                    simd.filter_pixels(sums.ctypes.data, source, weight, factors, k, line, step)
                    for pixel in range(min(PIXELS, wide - column)):
                        target = out[f, row, column + pixel, channel:].ctypes.data
                        simd.copy_floats(target, sums[pixel].ctypes.data, count)
