"""The neuron on a device, or in another dtype than float32: SpikingJelly's own, whose kernels are compiled for CUDA."""

import warnings
from functools import cache
from typing import Any

import torch
from spikingjelly.activation_based import functional, surrogate

_ATAN = surrogate.ATan()


def spikes(x: torch.Tensor, tau: float, threshold: float) -> torch.Tensor:
    """Spikes ``[T, ...]``, in the dtype of the current, of neurons that begin at rest.

    Args:
        x: The current ``[T, ...]``.
        tau: Membrane time constant, in time steps.
        threshold: Firing threshold.
    """
    fused = x.is_cuda and x.dtype != torch.float64
    # Fused kernels want the potential in float32, and are fastest where its memory is laid out as that of `x` is.
    v = torch.zeros_like(x[0], dtype=torch.float32 if fused else x.dtype)
    slope = _plain_slope if fused and not torch.compiler.is_compiling() and not _runs_fused(x.device) else _ATAN
    # Decaying input, reset to 0 and cut from the gradient.
    found, _, _ = functional.lif_multi_step(x, v, tau, True, threshold, 0.0, slope, True)
    # Plain PyTorch computes and answers in the dtype of the potential.
    answer: torch.Tensor = found.to(x.dtype)
    return answer


def _plain_slope(x: torch.Tensor) -> torch.Tensor:
    """The surrogate function as one that SpikingJelly does not know: then it runs plain PyTorch."""
    found: torch.Tensor = _ATAN(x)
    return found


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
