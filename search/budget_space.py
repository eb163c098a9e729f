"""The same plans, drawn otherwise: a trial says what is to be saved, and how much of it every layer should bear.

What a plan saves is known without asking an image, so no sampler need find out which ratios meet a target of memory. A
trial's parameters are the fraction of the bytes that its plan shall save, from the limit to all that can be saved, and
a weight for every layer; the plan is the first along the weights (:mod:`primesvt.search.ray`) that saves so much. Every
plan that keeps the limit of memory can be said so: the ratios of a plan are weights that lead to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import FloatDistribution

from primesvt.pruning import PruningPlan

from .allocation import Cost
from .attributes import RATIOS
from .ray import along
from .space import SearchSpace

TARGET = "saving"
# Weights are powers of what is drawn: most layers bear little, some much, as in the plans that models stand.
_POWER = 6.0
_CLOSE = 1e-12


@dataclass(frozen=True, kw_only=True)
class BudgetSpace(SearchSpace):
    """A target and a weight per layer; the plans are those of :class:`SearchSpace`.

    Args:
        cost: Counts bytes.
        least: The smallest fraction of the bytes that a plan shall save.
    """

    cost: Cost
    least: float

    @property
    def distributions(self) -> Mapping[str, FloatDistribution]:
        """Optuna's distribution of the target and of every weight."""
        target = FloatDistribution(self.least, max(self.least, self._most))
        return {TARGET: target, **{self._name(layer): FloatDistribution(0.0, 1.0) for layer in self.layers}}

    def ratios(self, parameters: Mapping[str, Any]) -> dict[str, float]:
        """The ratios above 0 of the plan that saves the target."""
        target = max(float(parameters[TARGET]), self.least)
        weights = {layer: float(parameters[self._name(layer)]) ** _POWER for layer in self.layers}
        return along(weights, self.levels, lambda ratios: self._saved(ratios) >= target - _CLOSE)

    def parameters(self, ratios: Mapping[str, float]) -> dict[str, Any]:
        """A target and weights that lead to these ratios, where they save enough."""
        most = max(ratios.values(), default=1.0)
        weights = {self._name(layer): (ratios.get(layer, 0.0) / most) ** (1 / _POWER) for layer in self.layers}
        return {TARGET: min(max(self._saved(ratios), self.least), self._most), **weights}

    def suggest(self, trial: optuna.trial.BaseTrial) -> PruningPlan:
        """The plan that a trial proposes, written into it: what its parameters mean is not to be seen from them."""
        plan = super().suggest(trial)
        trial.set_user_attr(RATIOS, {layer: plan.ratios.get(layer, 0.0) for layer in self.layers})
        return plan

    def _name(self, layer: str) -> str:
        return f"weight:{layer}"

    def _saved(self, ratios: Mapping[str, float]) -> float:
        return 1 - self.cost.bytes(ratios) / self._whole

    @cached_property
    def _most(self) -> float:
        return self._saved(dict.fromkeys(self.layers, self.max_ratio))

    @cached_property
    def _whole(self) -> int:
        return self.cost.bytes({})
