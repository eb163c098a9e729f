"""Bytes are known before any image is asked, so a draw that misses the limit of memory is drawn again, not measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution

from primesvt.models.options import check_options, option

from ..ray import along
from .kind import Problem


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """Options of samplers that draw plans."""

    redraws: int = option(
        100,
        help="so often a plan that misses --min-saving is drawn again, before any image is asked, until one is made "
        "smaller along its direction; 0 measures whatever was drawn",
        metavar="N",
        least=0,
        most=10_000,
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, eq=False)
class Redraw:
    """What is asked of a draw.

    Args:
        problem: Space, limit and bytes.
        times: How often a draw may be thrown away.
    """

    problem: Problem
    times: int

    @cached_property
    def parameters(self) -> dict[str, BaseDistribution]:
        """What a draw consists of."""
        return dict(self.problem.space.distributions)

    def saved(self, draw: Mapping[str, Any]) -> float:
        """Fraction of the bytes that the draw's plan saves."""
        return self.problem.saved(self.problem.space.ratios(draw))

    def meets(self, saved: float) -> bool:
        """Whether a saving keeps the limit of memory."""
        return self.problem.constraints.shortfall(saved) <= 0

    def smaller(self, draw: Mapping[str, Any]) -> dict[str, Any]:
        """The draw whose plan is the first along this one's direction that keeps the limit of memory."""
        space = self.problem.space
        ratios = space.ratios(draw)
        weights = {layer: ratios.get(layer, 0.0) for layer in space.layers}
        return space.parameters(along(weights, space.levels, self.problem.meets))
