r"""The spiking neuron of every family: SpikingJelly's leaky integrate-and-fire node, fused over time.

Equations (hard reset to 0, decaying input), as in :class:`spikingjelly.activation_based.neuron.LIFNode`::

    H[t] = V[t-1] + (X[t] - V[t-1]) / tau
    S[t] = H[t] >= v_threshold
    V[t] = H[t] * (1 - S[t])

Source: W. Fang et al., *SpikingJelly*, Science Advances 2023, doi:10.1126/sciadv.adi1480.

Deviations:

* **Stateless between calls.** Every call starts from ``V = 0``, so a model called twice answers twice the same and
  nobody has to remember ``reset_net``.
* **One pass over memory.** On the CPU in float32, and in float64 where no gradient is asked for, a numba kernel
  (:mod:`.fused_neuron`) integrates all T steps while a value is in a register. Its arithmetic is that of SpikingJelly
  in the same order, so the spikes are equal bit for bit.
  Any other device or dtype runs SpikingJelly's own implementation (:mod:`.stock_neuron`): on CUDA, in float32 and
  narrower types, the best of its fused kernels that is there (its CUDA extension, else Triton, else plain PyTorch,
  which is slow, and said once). They integrate in float32, so their spikes are the same bit for bit, too.
* **No SpikingJelly without a need.** It is an ``nn.Module`` of its own that imports SpikingJelly when its own
  implementation is to run: that takes longer than all else that a model needs beside PyTorch.
* **Plain operations in an exported model.** There the T steps are unrolled, in the same arithmetic and for inference
  only: whatever runs the file needs no custom operator.
"""

import torch
from torch import nn

from ..errors import PrimeSVTError


class LIFNode(nn.Module):
    """SpikingJelly's multi-step ``LIFNode`` without memory between calls.

    Args:
        tau: Membrane time constant, in time steps, above 1.
        v_threshold: Firing threshold.
    """

    def __init__(self, *, tau: float = 2.0, v_threshold: float = 1.0) -> None:
        super().__init__()
        self.tau, self.v_threshold = float(tau), float(v_threshold)

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
        # numba and SpikingJelly are imported by the first current: a model that is only looked at needs neither.
        if _fused(x) and not torch.compiler.is_exporting():
            from . import fused_neuron

            return fused_neuron.spikes(x, steps, self.tau, self.v_threshold)
        if x.shape[0] < steps:
            x = x.expand(steps, *[-1] * (x.ndim - 1))
        if torch.compiler.is_exporting():
            return _unrolled(x, self.tau, self.v_threshold)
        from . import stock_neuron

        return stock_neuron.spikes(x, self.tau, self.v_threshold)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"tau={self.tau}, v_threshold={self.v_threshold}"


def _fused(x: torch.Tensor) -> bool:
    """Whether our kernel integrates a current."""
    return x.device.type == "cpu" and (x.dtype == torch.float32 or (x.dtype == torch.float64 and not x.requires_grad))


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
