"""A model of a model: accuracy and memory as formulas, so that a thousand trials take a second."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from primesvt.search import Constraints, Goals, Outcome, PrioritizedPolicy, SearchSpace
from primesvt.search.samplers import PrioritizedSampler, Problem

# Of every study without objectives of its own.
DIRECTIONS = Goals().directions
LAYERS = ("large", "middle", "small")
RATES = (0.3, 0.6, 0.9)


@dataclass
class Landscape:
    """Drops and savings of plans, and a memory of which plans were asked for.

    Args:
        shares: Fraction of the bytes in every layer, in the order of the policy.
        harm: Points that each layer loses at a ratio of 1, growing with the square of the ratio.
        noise: Up to so many points are added to every plan's drop, by its hash: nothing falls evenly.
        seed: Of the noise.
        constraints: The limits.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: dict(zip(LAYERS, (0.5, 0.3, 0.2), strict=True)))
    harm: Mapping[str, float] = field(default_factory=lambda: dict(zip(LAYERS, (4.0, 2.0, 8.0), strict=True)))
    noise: float = 0.0
    seed: int = 0
    constraints: Constraints = field(default_factory=lambda: Constraints(max_drop=3, min_saving=0.6))
    asked: list[dict[str, float]] = field(default_factory=list)

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(layers=tuple(self.shares), step=0.1, max_ratio=0.9)

    @property
    def problem(self) -> Problem:
        return Problem(space=self.space, constraints=self.constraints, saving=lambda plan: self.saving(plan.ratios))

    def policy(self, **options: float | bool) -> PrioritizedPolicy:
        return PrioritizedPolicy(layers=tuple(self.shares), rates=RATES, **options)  # type: ignore[arg-type]

    def sampler(self, **options: float | bool) -> PrioritizedSampler:
        return PrioritizedSampler(self.policy(**options), self.space.distributions)

    def drop(self, plan: Mapping[str, float]) -> float:
        chance = random.Random(f"{self.seed} {sorted(plan.items())}")  # noqa: S311
        return sum(self.harm[name] * ratio**2 for name, ratio in plan.items()) + self.noise * chance.random()

    def saving(self, plan: Mapping[str, float]) -> float:
        return sum(self.shares[name] * ratio for name, ratio in plan.items())

    def outcome(self, plan: Mapping[str, float]) -> Outcome:
        values = self.constraints.values(drop=self.drop(plan), saving=self.saving(plan))
        return Outcome(values["accuracy_drop"], values["memory_saving"] <= 0)

    def measures(self, plan: Mapping[str, float]) -> dict[str, float]:
        """What a plan leaves of a hundred operations, where there is a limit of them."""
        return {name: 100 * (1 - self.saving(plan)) for name in self.constraints.limits}

    def __call__(self, trial: optuna.Trial) -> tuple[float, float]:
        """The objective."""
        plan = dict(self.space.suggest(trial).ratios)
        self.asked.append(plan)
        drop, saving, measures = self.drop(plan), self.saving(plan), self.measures(plan)
        for name, value in self.constraints.values(drop=drop, saving=saving, measures=measures).items():
            trial.set_constraint(name, value)
        return saving, 0.9 - drop / 100


STORAGES = ("memory", "sqlite", "journal")


class Store:
    """A storage that can be opened anew, as another process would."""

    def __init__(self, kind: str, directory: Path) -> None:
        self._kind, self._directory = kind, directory
        self._memory = InMemoryStorage()

    def open(self) -> BaseStorage:
        if self._kind == "memory":
            return self._memory
        if self._kind == "sqlite":
            return RDBStorage(f"sqlite:///{self._directory}/study.db")
        return JournalStorage(JournalFileBackend(str(self._directory / "study.journal")))

    def study(self, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
        return optuna.create_study(
            study_name="s", storage=self.open(), sampler=sampler, directions=DIRECTIONS, load_if_exists=True
        )


def plans(study: optuna.Study) -> list[dict[str, float]]:
    """What the finished trials tried, in order."""
    return [dict(t.params) for t in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))]
