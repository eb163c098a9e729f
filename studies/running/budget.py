"""What studies will cost, said before it is spent: trials and images, and the time as soon as some were measured."""

import time
from dataclasses import dataclass, field
from typing import Self

from primesvt.pruning import Pruner

from .problem import problem_of
from .runner import Status
from .settings import StudySettings
from .subject import Subject


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one study may cost at most.

    Args:
        study: Its name.
        trials: Trials that it shall have in all.
        images: Selection images that a plan is asked for; fewer where measuring stops early.
        needed: Trials after which its sampler surely comes to an end of its own; None where it knows none.
    """

    study: str
    trials: int
    images: int
    needed: int | None = None

    @classmethod
    def of(cls, study: str, settings: StudySettings, trials: int | None, subject: Subject) -> Self:
        """Of a study that is about to run.

        Args:
            study: Its name.
            settings: How it searches.
            trials: As in :class:`~primesvt.studies.running.runner.RunOptions`.
            subject: The unpruned model and the data set.

        Raises:
            PrimeSVTError: The settings make no sense for this model.
        """
        problem = problem_of(settings, Pruner(subject.model, settings.calibration_of(subject.data)))
        kind = settings.kind
        own = kind.trials(problem, settings.options)
        return cls(
            study=study,
            trials=own if trials is None else trials,
            images=len(settings.selection(subject.data)),
            needed=own if kind.ends_by_itself else None,
        )

    @property
    def text(self) -> str:
        """For a person."""
        return (
            f"{self.study}: at most {self.trials:,} {'trial' if self.trials == 1 else 'trials'} of at most "
            f"{self.images:,} images, "
            f"{self.trials * self.images:,} images in all{self._cut}"
        )

    @property
    def _cut(self) -> str:
        """That a sampler which ends by itself may be stopped before."""
        if self.needed is None:
            return ""
        if self.trials >= self.needed:
            return "; it ends by itself"
        return (
            f". It may need up to {self.needed:,} trials to come to its end: --trials {self.trials} may cut it short; "
            "without --trials it gets as many as it needs"
        )


def total(budgets: list[Budget]) -> str:
    """What several studies cost together, for a person."""
    trials = sum(budget.trials for budget in budgets)
    images = sum(budget.trials * budget.images for budget in budgets)
    count = "1 study" if len(budgets) == 1 else f"{len(budgets)} studies"
    return f"{count}: at most {trials:,} trials, {images:,} images; the time is told after the first trials"


@dataclass
class Pace:
    """How long the studies that are left will take, by the trials that were measured since it was made.

    Args:
        budgets: All studies; each is named by its place among them.
    """

    budgets: list[Budget]
    # Trials that studies had before, where those are that have begun and not ended, and trials of those that have.
    _before: dict[int, int] = field(default_factory=dict)
    _running: dict[int, Status] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    _began: float | None = None

    def told(self, study: int, status: Status) -> None:
        """Where a study is."""
        if self._began is None:
            self._began = time.monotonic()
        self._before.setdefault(study, status.done)
        self._running[study] = status

    def end(self, study: int) -> None:
        """A study has all its trials."""
        self.ended[study] = self._running.pop(study).done

    @property
    def left(self) -> float | None:
        """Seconds that all studies will take still, at most; None before the first trial was measured here."""
        each = self._each
        if each is None:
            return None
        later = sum(budget.trials for at, budget in enumerate(self.budgets) if at not in self._before)
        missing = [*map(_missing, self._running.values())]
        # However the others end, no study is faster than its own process.
        return each * max(sum(missing) + later, len(missing) * max(missing, default=0))

    def own(self, study: int) -> float | None:
        """Seconds that a running study will take still, at most, where others are left beside it; None otherwise."""
        each = self._each
        if each is None or len(self.ended) + 1 == len(self.budgets):
            return None
        return each * len(self._running) * _missing(self._running[study])

    @property
    def _each(self) -> float | None:
        """Seconds from trial to trial."""
        done = {at: status.done for at, status in self._running.items()} | self.ended
        measured = sum(done.values()) - sum(self._before.values())
        return None if self._began is None or not measured else (time.monotonic() - self._began) / measured


def _missing(status: Status) -> int:
    return max(0, status.total - status.done)
