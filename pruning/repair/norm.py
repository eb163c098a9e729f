"""BatchNorm's statistics, measured anew on the pruned model, one layer after the other.

B. Li et al., *EagleEye: Fast Sub-net Evaluation for Efficient Neural Network Pruning*, ECCV 2020, arXiv:2007.02491,
which ranks pruned networks by it; E. Frantar, S. P. Singh and D. Alistarh, *Optimal Brain Compression*, NeurIPS 2022,
arXiv:2208.11580, which does it after its compensation.

A layer's statistics are those of what the layers before it make with their new ones. They are those of the calibration
images, and so differ a little from those of the training images even where nothing was removed.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from ..hooks import Hooks
from ..kept import Kept
from .reference import Reference
from .rounding import rounded
from .step import NewTensors
from .twin import dtype_of, precise_twin_of


@dataclass(frozen=True)
class Norm:
    """The step."""

    name: ClassVar[str] = "norm"

    def repair(self, reference: Reference, pruned: nn.Module, kept: Kept) -> NewTensors:
        """Running means and variances of every BatchNorm."""
        del kept  # The statistics are those of the pruned model, whatever it was.
        twin, tensors, layers = precise_twin_of(pruned), {}, []
        names = {module: name for name, module in twin.named_modules()}
        dtype = dtype_of(pruned)

        def measure(frames: torch.Tensor, norm: nn.Module) -> None:
            variance, mean = torch.var_mean(frames, (0, 2, 3), unbiased=False)
            for kind, value in (("running_mean", mean), ("running_var", variance)):
                setattr(norm, kind, rounded(value, dtype).to(value.dtype))
                tensors[f"{names[norm]}.{kind}"] = getattr(norm, kind).to(dtype)
            layers.append(names[norm])

        with torch.no_grad(), Hooks() as hooks:
            for name, norm in twin.named_modules():
                if not isinstance(norm, nn.BatchNorm2d):
                    continue
                owner, _, leaf = name.rpartition(".")
                conv = getattr(twin.get_submodule(owner), "conv", None) if leaf == "bn" else None
                if conv is None:
                    hooks.before(norm, lambda norm, inputs: measure(inputs[0], norm))
                else:
                    # What a RepConv's BatchNorm reads has a border, which is no part of the statistics.
                    hooks.after(conv, lambda _c, _i, output, norm=norm: measure(output, norm))
            twin(reference.images.to(dtype_of(twin)))
        return NewTensors(tensors, tuple(layers))
