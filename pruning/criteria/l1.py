"""L1 norm of the filter: H. Li et al., *Pruning Filters for Efficient ConvNets*, ICLR 2017, arXiv:1608.08710."""

import torch

from .criterion import Criterion, filter_norms, summed


def _sums(_module: str, weight: torch.Tensor) -> torch.Tensor | None:
    return filter_norms(weight, 1) if weight.ndim > 1 else None


L1 = Criterion(name="l1", score=summed(_sums))
