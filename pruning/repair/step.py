"""What a repair step is, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from ..kept import Kept
from .reference import Reference


@dataclass(frozen=True)
class NewTensors:
    """New tensors that a step found for a pruned model.

    Args:
        tensors: New tensors by their names in the pruned model's state dict; the others stay.
        layers: The modules that the step looked after, whether they needed a change or not.
        untreated: The modules that it could not help, and why.
    """

    tensors: Mapping[str, torch.Tensor]
    layers: tuple[str, ...]
    untreated: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class RepairStep(Protocol):
    """One way to repair. It writes into no tensor of either model: they may share them."""

    @property
    def name(self) -> str:
        """What it is called in a list of steps."""

    def repair(self, reference: Reference, pruned: nn.Module, kept: Kept) -> NewTensors:
        """Find better tensors for a pruned model.

        Args:
            reference: The original, and the images.
            pruned: What :func:`~primesvt.pruning.remove` made of it, or that repaired by other steps.
            kept: Indices of the channels of the original that the pruned model has, by layer, of every layer.
        """
