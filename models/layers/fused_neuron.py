"""The neuron on the CPU: all time steps in one pass over memory, forward and, in float32, backward, compiled by numba.

The arithmetic is SpikingJelly's in the same order, so that the spikes are equal bit for bit: see :mod:`.neuron`.
"""

import math
from typing import Any

import numpy as np
import torch
from numba import prange
from torch.autograd.function import once_differentiable

from .kernels import LOCK, compiled

# Elements that one parallel task handles; large enough to hide the cost of starting it.
_CHUNK = 2048
# Of the surrogate gradient ATan, as SpikingJelly has it.
_ALPHA = 2.0


def spikes(x: torch.Tensor, steps: int, tau: float, threshold: float) -> torch.Tensor:
    """Spikes ``[T, ...]`` of neurons that begin at rest.

    The kernel's order of the neurons of a frame is that of memory, where the channels may be last.

    Args:
        x: The current ``[T, ...]``, or ``[1, ...]`` where it is the same at every step.
        steps: T.
        tau: Membrane time constant, in time steps.
        threshold: Firing threshold.
    """
    frame = x[0]
    last = x.ndim == 5 and not frame.is_contiguous() and frame.is_contiguous(memory_format=torch.channels_last)
    x = x.movedim(2, -1) if last else x
    found: torch.Tensor = _FusedLIF.apply(x, steps, tau, threshold, _ALPHA)
    return found.movedim(-1, 2) if last else found


class _FusedLIF(torch.autograd.Function):
    """Forward and ATan-surrogate backward of the neuron over all T steps, each in one kernel."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, steps: int, tau: float, threshold: float, alpha: float) -> torch.Tensor:
        # What is expanded over T is one frame, and read T times instead of being copied.
        frames = (x[:1] if x.stride(0) == 0 else x).contiguous()
        spikes = torch.empty((steps, *x.shape[1:]), dtype=x.dtype)
        with LOCK:
            current = _rows(frames)
            number = current.dtype.type
            _integrate(current, number(tau), number(threshold), _rows(spikes))
        # Backward integrates the current once more: that is cheaper than to write and read what the neuron was charged.
        ctx.save_for_backward(frames)
        ctx.parameters = (x.shape[0], tau, threshold, alpha)
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_spikes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (frames,) = ctx.saved_tensors
        count, tau, threshold, alpha = ctx.parameters
        grad = torch.empty((count, *grad_spikes.shape[1:]), dtype=grad_spikes.dtype)
        with LOCK:
            _differentiate(
                _rows(frames),
                np.float32(tau),
                np.float32(threshold),
                _rows(grad_spikes.contiguous()),
                np.float32(math.pi / 2 * alpha),
                np.float32(alpha / 2),
                _rows(grad),
            )
        return grad, None, None, None, None


def _rows(tensor: torch.Tensor) -> np.ndarray:
    """A contiguous tensor ``[T, ...]`` as an array ``[T, M]`` over the same memory."""
    return tensor.view(tensor.shape[0], math.prod(tensor.shape[1:])).numpy()


@compiled(parallel=False, inline="always")
def charged(v, current, tau, threshold):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """One time step of one neuron: how far above the threshold it is charged, and the potential that is left to it.

    It fires where the former is not negative: ``h - threshold >= 0``, as SpikingJelly has it, which is
    ``h >= threshold`` unless denormals are flushed.
    """
    h = v + (current - v) / tau
    over = h - threshold
    return over, np.float32(0) if over >= np.float32(0) else h


@compiled
def _integrate(x, tau, threshold, spikes):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    steps, size = spikes.shape
    static = x.shape[0] == 1
    zero, one = np.float32(0), np.float32(1)
    for chunk in prange((size + _CHUNK - 1) // _CHUNK):
        start = chunk * _CHUNK
        stop = min(start + _CHUNK, size)
        v = np.zeros(stop - start, x.dtype)
        for t in range(steps):
            source, target = x[0 if static else t, start:stop], spikes[t, start:stop]
            for i in range(stop - start):
                over, v[i] = charged(v[i], source[i], tau, threshold)
                target[i] = one if over >= zero else zero


@compiled(use="learning")
def _differentiate(x, tau, threshold, grad_spikes, slope, height, grad):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    steps, size = grad_spikes.shape
    static, held = x.shape[0] == 1, grad.shape[0] == 1
    zero, one = np.float32(0), np.float32(1)
    share = one / tau
    keep = one - share
    for chunk in prange((size + _CHUNK - 1) // _CHUNK):
        start = chunk * _CHUNK
        stop = min(start + _CHUNK, size)
        # How far the neuron was charged above the threshold at every step.
        over = np.empty((steps, stop - start), np.float32)
        v = np.zeros(stop - start, np.float32)
        for t in range(steps):
            source, above = x[0 if static else t, start:stop], over[t]
            for i in range(stop - start):
                above[i], v[i] = charged(v[i], source[i], tau, threshold)
        # From here on, the gradient that the potential receives from the next step.
        v[:] = zero
        for t in range(steps - 1, -1, -1):
            above, received = over[t], grad_spikes[t, start:stop]
            passed = grad[0 if held else t, start:stop]
            summed = held and t < steps - 1
            for i in range(stop - start):
                scaled = slope * above[i]
                # The reset is detached: a spike cuts the path to the next step, and adds no gradient of its own.
                later = zero if above[i] >= zero else v[i]
                grad_h = received[i] * height / (one + scaled * scaled) + later
                passed[i] = grad_h * share + (passed[i] if summed else zero)
                v[i] = grad_h * keep
