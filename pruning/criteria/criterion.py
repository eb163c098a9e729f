"""What a criterion is: how important the channels of a layer are, of which the least important go.

A criterion is one file of this room with a :class:`Criterion` in it; a package of anybody's adds one by an entry point
in the group ``primesvt.criteria``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from primesvt.models import ChannelGroup

from ..channel_statistics import Statistics

Weights = Mapping[str, torch.Tensor]
# From a layer, the state dict of the model and, where it was asked for, what the calibration images say of the model,
# to the scores of the layer's channels, float64 ``[C]``.
Score = Callable[[ChannelGroup, Weights, Statistics | None], torch.Tensor]
# From the name of a leaf module and its weight to the scores of its channels, or None where it is not looked at.
LeafScore = Callable[[str, torch.Tensor], torch.Tensor | None]

# Numbers that are converted to float64 at a time: 8 MB, whatever the size of the layer.
_COPIED = 2**20


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """Which channels of a layer go first: those with the smallest scores.

    Args:
        name: As in plans, and on the command line.
        score: Scores the channels of a layer.
        needs_statistics: Whether it looks at the calibration images; else its third argument is None.
    """

    name: str
    score: Score
    needs_statistics: bool = False


def summed(score: LeafScore) -> Score:
    """A score of the leaf modules that make the channels together, added up."""

    def of_group(group: ChannelGroup, weights: Weights, _statistics: Statistics | None) -> torch.Tensor:
        scores = [s for module in group.filters if (s := score(module, weights[f"{module}.weight"])) is not None]
        return torch.stack(scores).sum(0)

    return of_group


def norms_of(group: ChannelGroup, weights: Weights) -> list[str]:
    """The BatchNorms among the filters of a group."""
    return [leaf for leaf in group.filters if weights[f"{leaf}.weight"].ndim == 1]


def filter_norms(weight: torch.Tensor, order: int) -> torch.Tensor:
    """The norm of every filter ``[C]``, in float64, some filters at a time: a copy of all would double the memory."""
    rows = max(1, _COPIED // math.prod(weight.shape[1:]))
    parts = [part.double().flatten(1).norm(order, dim=1) for part in weight.detach().split(rows)]
    return torch.cat(parts)
