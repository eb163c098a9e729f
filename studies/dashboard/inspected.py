"""A study as it is inspected: what it holds, read without its model and data."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import optuna
from optuna.trial import FrozenTrial, TrialState

from primesvt.models import PrimeSVTError
from primesvt.search import BASELINE, Evaluation, best_trial, nearest_trial

from ..running.settings import StudySettings
from ..running.study_run import SETTINGS


@dataclass(frozen=True)
class Inspected:
    """A study of PrimeSVT.

    Args:
        study: Optuna's study.
        settings: How it searches.
        identity: All that the study says of its model and data.
        baseline: The unpruned model on the images of the search.
        trials: All trials, in the order of their numbers.
    """

    study: optuna.Study
    settings: StudySettings
    identity: dict[str, Any]
    baseline: Evaluation
    trials: list[FrozenTrial]

    @classmethod
    def of(cls, study: optuna.Study) -> Self | None:
        """Read a study; None where it is not PrimeSVT's, has not begun, or has a sampler that is not installed."""
        attrs = study.user_attrs
        try:
            identity = dict(attrs[SETTINGS])
            settings = StudySettings.from_json(identity)
            baseline = Evaluation.from_json(attrs[BASELINE])
        except (KeyError, TypeError, ValueError, PrimeSVTError):
            return None
        return cls(study, settings, identity, baseline, study.get_trials(deepcopy=False))

    @cached_property
    def finished(self) -> list[FrozenTrial]:
        """Trials that were measured, in full or until their plan was rejected."""
        return [trial for trial in self.trials if trial.state == TrialState.COMPLETE]

    @property
    def best(self) -> FrozenTrial | None:
        """The trial that saves most within the limits."""
        return best_trial(self.finished)

    @property
    def shown(self) -> FrozenTrial | None:
        """The best trial; the one that misses the limits least where none keeps them."""
        return self.best or nearest_trial(self.finished)
