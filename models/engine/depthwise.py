"""Convolution with one filter per channel: the channels lie side by side, and go through the taps together.

The order of the sums is that of :mod:`.spike_conv`: from zero, tap by tap, each product added in one rounding.
"""

import numpy as np
from numba import prange

from ..layers.kernels import LOCK, compiled
from . import simd
from .activations import Activation, Frames
from .filters import Filters


class Depthwise:
    """Such a convolution in the layout of the kernel.

    Args:
        filters: The layer; every filter reads one channel.
        border: What lies around the frames, float32 ``[C]``; zeros where it is None.
    """

    def __init__(self, filters: Filters, border: np.ndarray | None = None) -> None:
        self._filters = filters
        channels, _, self._kernel, _ = filters.weight.shape
        taps = filters.weight.reshape(channels, -1).t()
        self._taps = np.ascontiguousarray(taps.numpy())
        self._border = np.zeros(channels, np.float32) if border is None else border

    def __call__(self, x: Activation) -> Frames:
        """What it makes of frames ``[T, N, C, H, W]``."""
        values, stride = x.frames().values, self._filters.stride
        steps, images, height, width, channels = values.shape
        out = np.empty((steps, images, -(-height // stride), -(-width // stride), channels), np.float32)
        with LOCK:
            _convolve(
                values.reshape(-1, height, width, channels),
                self._taps,
                (self._kernel, stride),
                self._border,
                self._filters.scale,
                self._filters.shift,
                out.reshape(-1, *out.shape[2:]),
            )
        return Frames(out)


@compiled
def _convolve(x, weights, geometry, border, scale, shift, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    frames, height, width, channels = x.shape
    high, wide = out.shape[1], out.shape[2]
    kernel, stride = geometry
    for task in prange(frames * high):
        f, row = task // high, task % high
        y = row * stride - kernel // 2
        for column in range(wide):
            left = column * stride - kernel // 2
            sums = out[f, row, column]
            sums[:] = 0
            for tap in range(kernel * kernel):
                iy, ix = y + tap // kernel, left + tap % kernel
                inside = 0 <= iy < height and 0 <= ix < width
                source, weight = x[f, iy, ix] if inside else border, weights[tap]
                for c in range(channels):
                    sums[c] = simd.fma(source[c], weight[c], sums[c])
            for c in range(channels):
                sums[c] = simd.fma(sums[c], scale[c], shift[c])
