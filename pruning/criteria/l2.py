"""Squared L2 norm of the filter, the paper's criterion (PrimeSVT, arXiv:2606.03428).

Squares rank as norms do, and add up over coupled filters.
"""

import torch

from .criterion import Criterion, filter_norms, summed


def _squares(_module: str, weight: torch.Tensor) -> torch.Tensor | None:
    return filter_norms(weight, 2).square() if weight.ndim > 1 else None


L2 = Criterion(name="l2", score=summed(_squares))
