"""The order of the engine's sums, and its roundings, written out in numpy; see ``models/engine/spike_conv.py``."""

import numpy as np
import torch

from primesvt.models.engine.filters import Filters


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``a * b + c`` in float32, rounded once: by way of float64, where the product is exact, and the sum made odd.

    S. Boldo and G. Melquiond, *Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd*,
    IEEE Transactions on Computers 57, 2008.
    """
    product, c = a.astype(np.float64) * b.astype(np.float64), np.asarray(c, np.float64)
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)
    even = (np.ascontiguousarray(total).view(np.int64) & 1) == 0
    odd = np.where((error != 0) & even, np.nextafter(total, np.where(error > 0, np.inf, -np.inf)), total)
    return odd.astype(np.float32)


def convolved(x: torch.Tensor, filters: Filters, border: np.ndarray | None = None) -> torch.Tensor:
    """Frames ``[T, N, C, H, W]`` through filters, tap by tap and channel by channel.

    Depth-wise ones read the channel of their own number.
    """
    outputs, reads, k, _ = filters.weight.shape
    depthwise, stride, half = reads == 1 and x.shape[2] == outputs > 1, filters.stride, k // 2
    frames, weight = x.flatten(0, 1).numpy(), filters.weight.numpy()
    padded = np.zeros((*frames.shape[:2], frames.shape[2] + 2 * half, frames.shape[3] + 2 * half), np.float32)
    padded += 0 if border is None else border[:, None, None]
    padded[:, :, half : half + frames.shape[2], half : half + frames.shape[3]] = frames
    high, wide = (-(-side // stride) for side in frames.shape[2:])
    sums = np.zeros((len(frames), outputs, high, wide), np.float32)
    for y in range(k):
        for column in range(k):
            read = padded[:, :, y : y + frames.shape[2] : stride, column : column + frames.shape[3] : stride]
            for channel in range(reads):
                given = read if depthwise else read[:, channel : channel + 1]
                sums = fma(given, weight[None, :, channel, y, column, None, None], sums)
    result = fma(sums, filters.scale[:, None, None], filters.shift[:, None, None])
    return torch.from_numpy(result).unflatten(0, x.shape[:2])
