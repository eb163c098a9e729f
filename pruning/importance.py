"""How important a channel is: the criteria that pick which channels go.

A criterion scores the filters of one leaf module; the scores of all modules that make a channel are added up. The
channels with the smallest sums are removed.

* ``l2``: squared L2 norm of the filter, the paper's criterion (H. Li et al., *Pruning Filters for Efficient ConvNets*,
  ICLR 2017, arXiv:1608.08710, have it with L1). Squares rank as norms do, and add up over coupled filters.
* ``l1``: L1 norm of the filter.
* ``bn-scale``: magnitude of BatchNorm's scale (Z. Liu et al., *Network Slimming*, ICCV 2017, arXiv:1708.06519).
* ``random``: no information, the control.
"""

import math
import zlib
from collections.abc import Callable, Mapping

import torch

from primesvt.models import PrimeSVTError

# Numbers that are converted to float64 at a time: 8 MB, whatever the size of the layer.
_COPIED = 2**20
# Scores of the channels of one leaf module from its weight, or None where the criterion does not look at it.
Criterion = Callable[[str, torch.Tensor], torch.Tensor | None]


def _l2(_module: str, weight: torch.Tensor) -> torch.Tensor | None:
    return _norm(weight, 2).square() if weight.ndim > 1 else None


def _l1(_module: str, weight: torch.Tensor) -> torch.Tensor | None:
    return _norm(weight, 1) if weight.ndim > 1 else None


def _norm(weight: torch.Tensor, order: int) -> torch.Tensor:
    """The norm of every filter ``[C]``, in float64, some filters at a time: a copy of all would double the memory."""
    rows = max(1, _COPIED // math.prod(weight.shape[1:]))
    parts = [part.double().flatten(1).norm(order, dim=1) for part in weight.detach().split(rows)]
    return torch.cat(parts)


def _bn_scale(_module: str, weight: torch.Tensor) -> torch.Tensor | None:
    return weight.double().abs() if weight.ndim == 1 else None


def _random(module: str, weight: torch.Tensor) -> torch.Tensor | None:
    if weight.ndim == 1:
        return None
    # Depends on the module alone, so that a plan names the same channels in every process.
    generator = torch.Generator().manual_seed(zlib.crc32(module.encode()))
    return torch.rand(weight.shape[0], generator=generator, dtype=torch.float64)


CRITERIA: Mapping[str, Criterion] = {"l2": _l2, "l1": _l1, "bn-scale": _bn_scale, "random": _random}


def criterion(name: str) -> Criterion:
    """The criterion of a name.

    Raises:
        PrimeSVTError: There is none.
    """
    if name not in CRITERIA:
        raise PrimeSVTError(f"Unknown criterion {name!r}; known are {', '.join(CRITERIA)}.")
    return CRITERIA[name]


def importance(score: Criterion, weights: Mapping[str, torch.Tensor], modules: tuple[str, ...]) -> torch.Tensor:
    """Scores ``[C]`` of the channels that ``modules`` make together.

    Args:
        score: The criterion.
        weights: State dict of the model.
        modules: Leaf modules with the channels along dimension 0.
    """
    scores = [s for module in modules if (s := score(module, weights[f"{module}.weight"])) is not None]
    return torch.stack(scores).sum(0)
