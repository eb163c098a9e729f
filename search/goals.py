"""What a study optimizes: names, directions, units and scales of its objectives, in one place, as data.

The first two are always there: memory saving and accuracy. Any measure of :mod:`primesvt.pruning.measures` can be
another. Hard limits are :class:`~primesvt.search.Constraints`; how a finished trial stands to them is read here, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import optuna
from optuna.trial import FrozenTrial

from primesvt.pruning import Measure

from .attributes import DECIDED_EARLY
from .evaluation import Evaluation

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that a study optimizes.

    Args:
        name: Of the metric in Optuna.
        label: For a person.
        direction: Which way is better.
        unit: What a person reads it in.
        scale: So many of the unit are 1.
        digits: Decimal places worth showing.
    """

    name: str
    label: str
    direction: Direction
    unit: str
    scale: float
    digits: int

    def text(self, value: float) -> str:
        """A value for a person, with its unit."""
        space = "" if self.unit in ("", "%") else " "
        return f"{self.scale * value:,.{self.digits}f}{space}{self.unit}"


SAVING = Quantity(name="memory_saving", label="memory saved", direction="maximize", unit="%", scale=100, digits=2)
ACCURACY = Quantity(name="accuracy", label="accuracy", direction="maximize", unit="%", scale=100, digits=2)


@dataclass(frozen=True)
class Goals:
    """The objectives of a study, in the order of a trial's values."""

    objectives: tuple[Quantity, ...] = (SAVING, ACCURACY)

    @classmethod
    def of(cls, measures: Sequence[Measure]) -> Self:
        """Memory saving, accuracy, and as little as possible of each of some measures."""
        others = tuple(
            Quantity(name=m.name, label=m.label, direction="minimize", unit=m.unit, scale=1, digits=m.digits)
            for m in measures
        )
        return cls((SAVING, ACCURACY, *others))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives."""
        return tuple(objective.name for objective in self.objectives)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Directions of the objectives."""
        return tuple(objective.direction for objective in self.objectives)

    def values(self, evaluation: Evaluation) -> tuple[float, ...]:
        """What a trial returns: the objectives of what was measured."""
        known = {SAVING.name: evaluation.memory_saving, ACCURACY.name: evaluation.accuracy, **evaluation.measures}
        return tuple(known[name] for name in self.names)

    def value(self, trial: FrozenTrial, objective: Quantity) -> float:
        """An objective of a finished trial."""
        return float(trial.values[self.names.index(objective.name)])


# Every study has these two, first and in this order.
_COMMON = Goals()


def saving_of(trial: FrozenTrial) -> float:
    """Fraction of the bytes that the plan of a finished trial saves."""
    return _COMMON.value(trial, SAVING)


def accuracy_of(trial: FrozenTrial) -> float:
    """Accuracy of a finished trial's plan on the images that were asked."""
    return _COMMON.value(trial, ACCURACY)


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a finished trial keeps all limits."""
    return bool(trial.constraints) and all(value <= 0 for value in trial.constraints.values())


def keeps_all_but(one: str, trial: FrozenTrial) -> bool:
    """Whether a finished trial keeps all limits, whatever is with one of them."""
    return all(value <= 0 for name, value in trial.constraints.items() if name != one)


def violation(trial: FrozenTrial) -> float:
    """By how much a trial misses its limits, added up as Optuna's samplers do; see :class:`Constraints` for scales."""
    return sum(max(0.0, excess) for excess in trial.constraints.values())


def decided_early(trial: FrozenTrial) -> str:
    """Why measuring a finished trial's plan stopped before the last image; empty where it did not."""
    return str(trial.user_attrs.get(DECIDED_EARLY, ""))


def best_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The feasible trial with the largest saving, of equal ones the most accurate, of equal ones the first."""
    feasible = filter(is_feasible, trials)
    return max(feasible, key=lambda t: (saving_of(t), accuracy_of(t), -t.number), default=None)


def nearest_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The trial that misses the limits least, of equal ones the most accurate, of equal ones the first.

    It may have been decided early: then how much it misses them by is an estimate.
    """
    return min(trials, key=lambda t: (violation(t), -accuracy_of(t), t.number), default=None)


def has_goals(study: optuna.Study, goals: Goals) -> bool:
    """Whether a study optimizes in the directions of some goals."""
    return tuple(direction.name.lower() for direction in study.directions) == goals.directions
