"""Convolutions of spikes, in training on the CPU: what is zero is left out.

Neurons spike rarely, so most products of a convolution are with zero. The output and the gradient of the weights are
sums over the nonzeros alone; they have the terms that PyTorch's convolution has, in another order. The gradient of the
input is dense, and PyTorch's.

:mod:`~primesvt.models.engine.spike_conv`, for inference, shares nothing but the idea: it reads bits and must add up in
PyTorch's order, while here floats are read, any order will do, and the list of nonzeros serves the gradient, too.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import get_num_threads, prange
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .kernels import LOCK, compiled

# A product with a nonzero takes as long as this many dense ones, and a nonzero as long as so many filters more.
_PRODUCT, _NONZERO = 2.5, 64
# A product that is added to something needs no rounding of its own.
_contracted = partial(compiled, use="learning", fastmath={"contract"})


class _Nonzeros(NamedTuple):
    """The nonzeros of frames ``[B, C, H, W]``, pixel by pixel.

    Args:
        starts: Where each pixel's start, and where the last one's end, ``[B * H * W + 1]``.
        channels: The channel of each.
        values: The value of each.
    """

    starts: np.ndarray
    channels: np.ndarray
    values: np.ndarray


def conv2d(frames: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """A convolution with stride 1 that keeps the size of the frames.

    Args:
        frames: ``[B, C, H, W]``, channels last.
        weight: ``[C', C, K, K]``, K odd.
        bias: ``[C']``, or None.

    Returns:
        ``[B, C', H, W]``, channels last.
    """
    found = _nonzeros(frames, filters=len(weight))
    if found is None:
        return _dense(frames, weight, bias)
    y: torch.Tensor = _SparseConv.apply(frames, weight, bias, found)
    return y


def _nonzeros(frames: torch.Tensor, filters: int) -> _Nonzeros | None:
    """Where a dense convolution is faster, or not in float32, None."""
    if frames.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return None
    pixels = _pixels(frames.detach()).numpy()
    starts = np.zeros(len(pixels) + 1, np.int64)
    with LOCK:
        _count(pixels, starts)
    np.cumsum(starts, out=starts)
    count = int(starts[-1])
    if count * (filters + _NONZERO) * _PRODUCT > pixels.size * filters:
        return None
    found = _Nonzeros(starts, np.empty(count, np.int32), np.empty(count, np.float32))
    with LOCK:
        _collect(pixels, *found)
    return found


def _pixels(frames: torch.Tensor) -> torch.Tensor:
    """Frames ``[B, C, H, W]``, channels last, as ``[B * H * W, C]`` over the same memory."""
    return frames.movedim(1, -1).flatten(0, 2)


def _dense(frames: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    if weight.shape[-1] == 1:
        return F.linear(frames.movedim(1, -1), weight.flatten(1), bias).movedim(-1, 1)
    y = F.conv2d(frames, weight, bias, padding=weight.shape[-1] // 2)
    # Of a single channel the format does not say where the channels are, so the result may need to be told.
    return y.contiguous(memory_format=torch.channels_last)


class _SparseConv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, frames: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, found: _Nonzeros
    ) -> torch.Tensor:
        (filters, channels, kernel, _), (count, _, *size) = weight.shape, frames.shape
        # [K * K * C, C']: what one number is multiplied by lies side by side.
        rows = weight.permute(2, 3, 1, 0).reshape(-1, filters).contiguous()
        y = torch.empty(count, *size, filters)
        start = torch.zeros(filters) if bias is None else bias
        with LOCK:
            _convolve(*found, (*size, kernel, channels), rows.numpy(), start.numpy(), y.flatten(0, 2).numpy())
        ctx.save_for_backward(weight)
        ctx.found = found
        return y.movedim(-1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        filters, channels, kernel, _ = weight.shape
        grad = grad.contiguous(memory_format=torch.channels_last)
        pixels = _pixels(grad)
        grad_frames = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            # A convolution, too: with the kernels turned round, and channels for filters.
            grad_frames = _dense(grad, weight.flip(2, 3).transpose(0, 1))
        if ctx.needs_input_grad[1]:
            # Every thread sums up its own part of the frames.
            parts = torch.zeros(get_num_threads(), kernel * kernel * channels, filters)
            with LOCK:
                _correlate(*ctx.found, (*grad.shape[2:], kernel, channels), pixels.numpy(), parts.numpy())
            grad_weight = parts.sum(0).view(kernel, kernel, channels, filters).permute(3, 2, 0, 1)
        if ctx.needs_input_grad[2]:
            grad_bias = pixels.sum(0)
        return grad_frames, grad_weight, grad_bias, None


@_contracted
def _count(pixels, starts):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for p in prange(pixels.shape[0]):
        row = pixels[p]
        count = np.int32(0)
        for c in range(row.shape[0]):
            count += np.int32(row[c] != 0)
        starts[p + 1] = count


@_contracted
def _collect(pixels, starts, channels, values):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    size, width = pixels.shape
    for block in prange((size + 63) // 64):
        # One place more than can be used, as the next one is written before it is known whether it counts.
        found = np.empty(width + 1, np.int32)
        for p in range(block * 64, min(block * 64 + 64, size)):
            row = pixels[p]
            count = np.int64(0)
            for c in range(width):
                found[count] = c
                count += np.int64(row[c] != 0)
            for n in range(count):
                channels[starts[p] + n] = found[n]
                values[starts[p] + n] = row[found[n]]


@compiled(use="learning", parallel=False)
def _window(starts, channels, values, shape, y, x, rows, factors):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """The nonzeros that an output reads, as rows of the weights, and what these are multiplied by; their number.

    ``y`` is the row of the output, of those of all frames one below the other; ``x`` its column.
    """
    height, width, kernel, depth = shape
    half, top = kernel // 2, y % height
    count = 0
    for a in range(max(0, half - top), min(kernel, height + half - top)):
        for b in range(max(0, half - x), min(kernel, width + half - x)):
            pixel = (y + a - half) * width + x + b - half
            first = (a * kernel + b) * depth
            for n in range(starts[pixel], starts[pixel + 1]):
                rows[count] = first + channels[n]
                factors[count] = values[n]
                count += 1
    return count


@_contracted
def _convolve(starts, channels, values, shape, weights, bias, outputs):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    width = shape[1]
    filters = outputs.shape[1]
    for y in prange(outputs.shape[0] // width):
        rows, factors = np.empty(weights.shape[0], np.int64), np.empty(weights.shape[0], np.float32)
        for x in range(width):
            count = _window(starts, channels, values, shape, y, x, rows, factors)
            output = outputs[y * width + x]
            output[:] = bias
            # Four at a time, as what limits is reading and writing the output.
            fours = count - count % 4
            for n in range(0, fours, 4):
                a, b, c, d = weights[rows[n]], weights[rows[n + 1]], weights[rows[n + 2]], weights[rows[n + 3]]
                fa, fb, fc, fd = factors[n], factors[n + 1], factors[n + 2], factors[n + 3]
                for f in range(filters):
                    output[f] += fa * a[f] + fb * b[f] + fc * c[f] + fd * d[f]
            for n in range(fours, count):
                a, fa = weights[rows[n]], factors[n]
                for f in range(filters):
                    output[f] += fa * a[f]


@_contracted
def _correlate(starts, channels, values, shape, grads, parts):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    width = shape[1]
    number, reads, filters = parts.shape
    lines = grads.shape[0] // width
    for part in prange(number):
        weights = parts[part]
        rows, factors = np.empty(reads, np.int64), np.empty(reads, np.float32)
        for y in range(part * lines // number, (part + 1) * lines // number):
            for x in range(width):
                count = _window(starts, channels, values, shape, y, x, rows, factors)
                grad = grads[y * width + x]
                pairs = count - count % 2
                for n in range(0, pairs, 2):
                    a, b = weights[rows[n]], weights[rows[n + 1]]
                    fa, fb = factors[n], factors[n + 1]
                    for f in range(filters):
                        a[f] += fa * grad[f]
                        b[f] += fb * grad[f]
                for n in range(pairs, count):
                    a, fa = weights[rows[n]], factors[n]
                    for f in range(filters):
                        a[f] += fa * grad[f]
