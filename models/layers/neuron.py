r"""The spiking neuron of every family: SpikingJelly's leaky integrate-and-fire node, fused over time.

Equations (hard reset to 0, decaying input), as in :class:`spikingjelly.activation_based.neuron.LIFNode`::

    H[t] = V[t-1] + (X[t] - V[t-1]) / tau
    S[t] = H[t] >= v_threshold
    V[t] = H[t] * (1 - S[t])

Source: W. Fang et al., *SpikingJelly*, Science Advances 2023, doi:10.1126/sciadv.adi1480.

Deviations:

* **Stateless between calls.** Every call starts from ``V = 0``, so a model called twice answers twice the same and
  nobody has to remember ``reset_net``.
* **One pass over memory.** On the CPU in float32 a numba kernel integrates all T steps while a value is in a
  register. Its arithmetic is that of SpikingJelly in the same order, so the spikes are equal bit for bit. Any other
  device or dtype runs SpikingJelly's own implementation: on CUDA, in float32 and narrower types, the best of its fused
  kernels that is there (its CUDA extension, else Triton, else plain PyTorch, which is slow, and said once). They
  integrate in float32, so their spikes are the same bit for bit, too.
* **Plain operations in an exported model.** There the T steps are unrolled, in the same arithmetic and for inference
  only: whatever runs the file needs no custom operator.
"""

import math
import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from numba import prange
from spikingjelly.activation_based import functional, neuron, surrogate
from torch.autograd.function import once_differentiable

from ..errors import PrimeSVTError
from .kernels import LOCK, compiled

# Elements that one parallel task handles; large enough to hide the cost of starting it.
_CHUNK = 2048


class LIFNode(neuron.LIFNode):  # type: ignore[misc]
    """SpikingJelly's multi-step ``LIFNode`` without memory between calls.

    Args:
        tau: Membrane time constant, in time steps, above 1.
        v_threshold: Firing threshold.
    """

    def __init__(self, *, tau: float = 2.0, v_threshold: float = 1.0) -> None:
        super().__init__(
            tau=float(tau),
            v_threshold=float(v_threshold),
            surrogate_function=surrogate.ATan(),
            detach_reset=True,
            step_mode="m",
        )

    def forward(self, x: torch.Tensor, steps: int | None = None) -> torch.Tensor:
        """Integrate a current.

        Args:
            x: The current ``[T, ...]``; one that is the same at every step may be given once, ``[1, ...]``.
            steps: T, where ``x`` does not tell it.

        Returns:
            The spikes ``[T, ...]``: 0 or 1, in the dtype of ``x``.

        Raises:
            PrimeSVTError: ``x`` has another number of steps than ``steps``, and more than one.
        """
        steps = x.shape[0] if steps is None else steps
        if x.shape[0] not in (1, steps):
            raise PrimeSVTError(f"The current has {x.shape[0]} steps, expected 1 or {steps}.")
        if x.device.type == "cpu" and x.dtype == torch.float32 and not torch.compiler.is_exporting():
            return self._fused(x, steps)
        if x.shape[0] < steps:
            x = x.expand(steps, *[-1] * (x.ndim - 1))
        if torch.compiler.is_exporting():
            return _unrolled(x, self.tau, self.v_threshold)
        fused = x.is_cuda and x.dtype != torch.float64
        # Fused kernels want the potential in float32, and are fastest where its memory is laid out as that of `x` is.
        v = torch.zeros_like(x[0], dtype=torch.float32 if fused else x.dtype)
        slope = self.surrogate_function
        if fused and not torch.compiler.is_compiling() and not _runs_fused(x.device):
            slope = self._plain_slope
        spikes, _, _ = functional.lif_multi_step(
            x, v, self.tau, self.decay_input, self.v_threshold, self.v_reset, slope, self.detach_reset
        )
        # Plain PyTorch computes and answers in the dtype of the potential.
        answer: torch.Tensor = spikes.to(x.dtype)
        return answer

    def _plain_slope(self, x: torch.Tensor) -> torch.Tensor:
        """The surrogate function as one that SpikingJelly does not know: then it runs plain PyTorch."""
        spikes: torch.Tensor = self.surrogate_function(x)
        return spikes

    def _fused(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """The kernel, in whose order the neurons of a frame are: that of memory, where the channels may be last."""
        frame = x[0]
        last = x.ndim == 5 and not frame.is_contiguous() and frame.is_contiguous(memory_format=torch.channels_last)
        x = x.movedim(2, -1) if last else x
        spikes: torch.Tensor = _FusedLIF.apply(x, steps, self.tau, self.v_threshold, self.surrogate_function.alpha)
        return spikes.movedim(-1, 2) if last else spikes


@cache
def _runs_fused(device: torch.device) -> bool:
    """Whether SpikingJelly's choice for a CUDA device works; warns where that is none of its fused kernels.

    It takes Triton where it can be imported, but Triton also needs a C compiler when the first kernel starts.
    """
    try:
        choice: dict[str, Any] = functional.neuron_implementation("lif", device)
        x = torch.zeros(1, 1, device=device)
        functional.lif_multi_step(x, x[0], surrogate_function=surrogate.ATan())
    except Exception as error:  # whatever a compiler, a driver or a missing library leads to
        _warn_of_slowness(device, f"{type(error).__name__}: {error}")
        return False
    if choice["implementation"] == "torch":
        _warn_of_slowness(device, "; ".join(f"{name}: {reason}" for name, reason in choice["unavailable"].items()))
    return True


def _warn_of_slowness(device: torch.device, reason: str) -> None:
    warnings.warn(
        f"Neurons on {device} run in plain PyTorch, several times slower than SpikingJelly's fused kernels, which need "
        f"Triton and a C compiler. {' '.join(reason.split())[:400]}",
        stacklevel=2,
    )


def _unrolled(x: torch.Tensor, tau: float, threshold: float) -> torch.Tensor:
    """The neuron in an exported model: the kernel's arithmetic as plain operations, ``[T, ...]`` to the same shape."""
    steps = x.chunk(x.shape[0])
    # From rest, V + (X - V) / tau is X / tau.
    charged = steps[0] / tau
    fired = [charged >= threshold]
    for current in steps[1:]:
        v = torch.where(fired[-1], 0.0, charged)
        charged = v + (current - v) / tau
        fired.append(charged >= threshold)
    return torch.cat(fired).to(x.dtype)


class _FusedLIF(torch.autograd.Function):
    """Forward and ATan-surrogate backward of the neuron over all T steps, each in one kernel."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, steps: int, tau: float, threshold: float, alpha: float) -> torch.Tensor:
        # What is expanded over T is one frame, and read T times instead of being copied.
        frames = (x[:1] if x.stride(0) == 0 else x).contiguous()
        spikes = torch.empty((steps, *x.shape[1:]), dtype=x.dtype)
        with LOCK:
            _integrate(_rows(frames), np.float32(tau), np.float32(threshold), _rows(spikes))
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
        v = np.zeros(stop - start, np.float32)
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
