"""Mean compensation: the mean of what a layer no longer reads goes into the bias behind it.

Y. An et al., *Fluctuation-based Adaptive Structured Pruning for Large Language Models* (FLAP), AAAI 2024,
arXiv:2312.11983; *Variance-Based Pruning for Accelerating and Compressing Trained Networks*, arXiv:2507.12988; and, for
layers one after the other, M. Nagel et al., *Data-Free Quantization Through Weight Equalization and Bias Correction*,
ICCV 2019, arXiv:1906.04721.

Deviation: every filter's mean output is made that of the original on what the filter really reads, so the changes of
its other inputs, which earlier layers left, are made up for, too.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ..kept import Kept
from .reference import Reference
from .step import NewTensors
from .sweep import Sweep


@dataclass(frozen=True)
class Mean:
    """The step."""

    name: ClassVar[str] = "mean"

    def repair(self, reference: Reference, pruned: nn.Module, kept: Kept) -> NewTensors:
        """Biases of BatchNorm and of the classifier, of all layers in their order."""
        return Sweep(reference, pruned, kept, None).repaired()
