"""What a search chooses from: a ratio for every layer, on a grid.

A trial's parameters are these ratios, or say them in another way (:mod:`primesvt.search.budget_space`): whoever wants
to know a trial's plan asks the space.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import FloatDistribution

from primesvt.models import PrimeSVTError
from primesvt.pruning import DEFAULT_CRITERION, PruningPlan

from .attributes import RATIOS


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """One parameter per layer, named as the layer: its ratio, on a grid from 0.

    Args:
        layers: Names of the layers, the largest first.
        step: Distance of neighbouring ratios.
        max_ratio: No ratio is larger; rounded down to a multiple of ``step``.
        criterion: Which channels of a layer go first.
        repair: Steps that repair every plan's model, in their order.
        multiple: Of the plans, see :class:`~primesvt.pruning.PruningPlan`.
        branches: Names of residual branches that a plan may remove, with their layers, all of which are ``layers``:
            their ratios are then 1, whatever ``max_ratio`` is.

    Raises:
        PrimeSVTError: The grid makes no sense.
    """

    layers: tuple[str, ...]
    step: float = 0.05
    max_ratio: float = 0.95
    criterion: str = DEFAULT_CRITERION
    repair: tuple[str, ...] = ()
    multiple: int = 1
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise PrimeSVTError("There is no layer to prune.")
        if not (0 < self.step <= self.max_ratio < 1):
            raise PrimeSVTError(
                f"Ratios go from 0 to max-ratio, below 1, in steps above 0; got step {self.step}, "
                f"max-ratio {self.max_ratio}."
            )
        if self.branches and not math.isclose(1 / self.step, round(1 / self.step), rel_tol=1e-6):
            raise PrimeSVTError(
                f"The ratio 1, which removes a layer, is no multiple of the step {self.step:g}: give --step 0.05, or "
                "another part of 1, or leave --depth out."
            )
        object.__setattr__(self, "max_ratio", round(math.floor(self.max_ratio / self.step + 1e-6) * self.step, 9))

    @property
    def distributions(self) -> Mapping[str, FloatDistribution]:
        """Optuna's distribution of every layer."""
        removable = {layer for layers in self.branches.values() for layer in layers}
        most = {layer: 1.0 if layer in removable else self.max_ratio for layer in self.layers}
        return {layer: FloatDistribution(0.0, most[layer], step=self.step) for layer in self.layers}

    @property
    def levels(self) -> tuple[float, ...]:
        """The ratios to choose from, ascending from 0."""
        return tuple(round(at * self.step, 9) for at in range(round(self.max_ratio / self.step) + 1))

    def check(self, rates: tuple[float, ...]) -> None:
        """Refuse ratios that are not on the grid.

        Raises:
            PrimeSVTError: Naming the first that is not.
        """
        for rate in rates:
            if (
                not math.isclose(rate / self.step, round(rate / self.step), abs_tol=1e-6)
                or rate > self.max_ratio + 1e-9
            ):
                raise PrimeSVTError(
                    f"The ratio {rate:g} is not among those of the search: multiples of {self.step:g} "
                    f"up to {self.max_ratio:g}. Choose other rates, or another --step or --max-ratio."
                )

    def ratios(self, parameters: Mapping[str, Any]) -> dict[str, float]:
        """The ratios that a trial's parameters mean, those above 0."""
        found = {layer: round(float(parameters[layer]), 9) for layer in self.layers if layer in parameters}
        return {layer: ratio for layer, ratio in found.items() if ratio > 0}

    def parameters(self, ratios: Mapping[str, float]) -> dict[str, Any]:
        """The parameters that mean some ratios; :meth:`ratios` reads them back."""
        return {layer: round(float(ratios.get(layer, 0.0)), 9) for layer in self.layers}

    def suggest(self, trial: optuna.trial.BaseTrial) -> PruningPlan:
        """The plan that a trial proposes."""
        return self.plan(self.ratios(self._suggested(trial)))

    def plan_of(self, trial: optuna.trial.FrozenTrial) -> PruningPlan:
        """The plan that a finished trial tried, in whichever space it was drawn."""
        return self.plan({layer: ratio for layer, ratio in ratios_of(trial).items() if layer in self.layers})

    def plan(self, ratios: Mapping[str, float]) -> PruningPlan:
        """The plan of some ratios, by this space's criterion, repair and multiple."""
        rounded = {layer: round(float(ratio), 9) for layer, ratio in ratios.items() if ratio > 0}
        return PruningPlan(rounded, self.criterion, self.repair, self.multiple)

    def _suggested(self, trial: optuna.trial.BaseTrial) -> dict[str, Any]:
        return {name: trial.suggest_float(name, d.low, d.high, step=d.step) for name, d in self.distributions.items()}


def ratios_of(trial: optuna.trial.FrozenTrial) -> dict[str, float]:
    """The ratios that a finished trial tried, of all its layers, in whichever space it was drawn."""
    return dict(trial.user_attrs.get(RATIOS) or trial.params)
