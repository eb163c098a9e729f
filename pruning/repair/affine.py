"""BatchNorms in a row, as a factor and a summand of every channel.

In float64 on any device, and for several in a row: what the engine and folding need of one is
:func:`primesvt.models.layers.norm.affine`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from .reference import Signal
from .twin import device_of

# What BatchNorm's scale is taken for where it is smaller and something is divided by it.
_SMALLEST_SCALE = 1e-2


@dataclass(frozen=True)
class Affine:
    """``factor * z + summand``, each float64 ``[C]``.

    Args:
        factor: What a channel is multiplied by.
        summand: What is added then.
        smallest: What a factor is taken for where it is smaller and something is divided by it.
    """

    factor: torch.Tensor
    summand: torch.Tensor
    smallest: torch.Tensor

    @classmethod
    def of(cls, model: nn.Module, norms: Sequence[str], channels: int) -> Self:
        """What the BatchNorms of a model make of the output of a convolution with so many channels."""
        device = device_of(model)
        factor, smallest = (torch.ones(channels, dtype=torch.float64, device=device) for _ in range(2))
        summand = torch.zeros(channels, dtype=torch.float64, device=device)
        for name in norms:
            norm: Any = model.get_submodule(name)
            state = {key: tensor.double() for key, tensor in norm.state_dict().items()}
            deviation = (state["running_var"] + norm.eps).sqrt()
            scale = state["weight"] / deviation
            factor, smallest = factor * scale, smallest * _SMALLEST_SCALE / deviation
            summand = (summand - state["running_mean"]) * scale + state["bias"]
        return cls(factor, summand, smallest)

    def __getitem__(self, channels: torch.Tensor) -> Self:
        return type(self)(self.factor[channels], self.summand[channels], self.smallest[channels])

    def __call__(self, mean: torch.Tensor) -> torch.Tensor:
        """The mean ``[C]`` behind, of one before."""
        return self.factor * mean + self.summand

    def before(self, behind: Signal) -> Signal:
        """The signal of which this makes ``behind``."""
        divisor = torch.where(self.factor < 0, -1.0, 1.0) * self.factor.abs().maximum(self.smallest)
        rows = ((behind.rows - self.summand) / divisor).to(behind.rows.dtype)
        return Signal(rows, (behind.mean - self.summand) / divisor)

    def behind(self, before: Signal) -> Signal:
        """The signal that this makes of ``before``."""
        rows = (before.rows * self.factor + self.summand).to(before.rows.dtype)
        return Signal(rows, self(before.mean))

    def equals(self, other: Self) -> bool:
        """Whether both are the same, bit for bit."""
        return torch.equal(self.factor, other.factor) and torch.equal(self.summand, other.summand)
