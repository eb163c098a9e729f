"""A study with what it is about: its trials as a report reads them, and the way back to one that a storage holds."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from torch import nn

from primesvt.models import Backend, PrimeSVTError, fingerprint, meant
from primesvt.pruning import Pruner, PruningPlan
from primesvt.search import (
    BASELINE,
    Evaluation,
    SearchSpace,
    accuracy_of,
    best_trial,
    decided_early,
    evaluation_of,
    is_feasible,
    nearest_trial,
    saving_of,
)
from primesvt.search.samplers import Problem, make_sampler

from .identity import check_identity, study_identity
from .problem import grid_of, problem_of
from .settings import StudySettings
from .subject import Subject

# Of the study, its settings and what it is about.
SETTINGS = "settings"
# Of the study: what some measures have to know of the unpruned model first, by their names.
TABLES = "tables"
# Of a study that `primesvt search` ran: the file of options with which the command can be run again.
OPTIONS = "options"


@dataclass(frozen=True)
class StudyRun:
    """A study with what it is about.

    Args:
        study: Optuna's study.
        settings: How it searches.
        problem: What its sampler is made for.
        baseline: The unpruned model on the images of the search.
        interrupted: Whether the user stopped it.
    """

    study: optuna.Study
    settings: StudySettings
    problem: Problem
    baseline: Evaluation
    interrupted: bool = False

    @property
    def space(self) -> SearchSpace:
        """What it chooses from."""
        return self.problem.space

    @property
    def finished(self) -> list[FrozenTrial]:
        """Trials that were measured, in full or until their plan was rejected."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    @property
    def feasible(self) -> list[FrozenTrial]:
        """Trials that keep the limits."""
        return [trial for trial in self.finished if is_feasible(trial)]

    @property
    def best(self) -> FrozenTrial | None:
        """The feasible trial with the largest saving; None where there is none."""
        return best_trial(self.finished)

    @property
    def nearest(self) -> FrozenTrial | None:
        """The finished trial that misses the limits least."""
        return nearest_trial(self.finished)

    @property
    def over(self) -> bool:
        """Whether the sampler came to an end of its own; samplers that know none never do."""
        sampler = make_sampler(self.settings.sampler, self.problem, self.settings.options, seed=0)
        return self.settings.kind.result(sampler, self.study) is not None

    def plan(self, trial: FrozenTrial) -> PruningPlan:
        """The plan that a trial tried."""
        return self.space.plan_of(trial)

    def to_json(self) -> dict[str, Any]:
        """The result, as ``primesvt search --json`` prints it."""
        best = self.best
        return {
            "study": self.study.study_name,
            "sampler": self.settings.sampler,
            "trials": len(self.finished),
            "feasible": len(self.feasible),
            "decided_early": sum(map(bool, map(decided_early, self.finished))),
            "best": None
            if best is None
            else {
                "trial": best.number,
                "memory_saving": saving_of(best),
                "accuracy": accuracy_of(best),
                "accuracy_drop": best.user_attrs["accuracy_drop"],
                "measures": dict(evaluation_of(best).measures),
                "ratios": dict(self.plan(best).ratios),
            },
        }


def existing(name: str, storage: BaseStorage) -> optuna.Study | None:
    """A study of whomever, or None where the storage has none of that name."""
    with suppress(KeyError):
        return optuna.load_study(study_name=name, storage=storage)
    return None


def load_run(name: str, storage: BaseStorage) -> optuna.Study:
    """A study that exists.

    Raises:
        PrimeSVTError: The storage has no such study, or it is none of PrimeSVT's.
    """
    study = existing(name, storage)
    if study is None:
        names = optuna.get_all_study_names(storage)
        guess = meant(name, names)
        raise PrimeSVTError(
            f"No study {name!r} in this storage{f'{guess} It' if guess else '; it'} has {', '.join(names) or 'none'}."
        )
    if SETTINGS not in study.user_attrs:
        raise PrimeSVTError(f"The study {name!r} was not made by PrimeSVT.")
    return study


def finished_run(name: str, storage: BaseStorage, subject: Subject, backend: Backend | None = None) -> StudyRun:
    """A study that exists, as it is, for a comparison.

    Args:
        name: Its name.
        storage: Where it lies.
        subject: The unpruned model and the data set.
        backend: Where its plans will be measured again; by the engine where it is None.

    Raises:
        PrimeSVTError: The storage has no such study, it is about another model or data set, or was run on a device of
            another class or in another precision.
    """
    study = load_run(name, storage)
    settings = StudySettings.from_json(study.user_attrs[SETTINGS])
    identity = study_identity(settings.on(backend or Backend()), subject.model, settings.selection(subject.data))
    check_identity(name, study.user_attrs[SETTINGS], identity)
    if BASELINE not in study.user_attrs:
        raise PrimeSVTError(f"The study {name!r} has no finished trial yet; run it first.")
    baseline = Evaluation.from_json(study.user_attrs[BASELINE])
    pruner = Pruner(subject.model, settings.calibration_of(subject.data))
    return StudyRun(study, settings, problem_of(settings, pruner, study.user_attrs.get(TABLES, {})), baseline)


def plan_of_trial(study: optuna.Study, number: int, model: nn.Module) -> PruningPlan:
    """The plan that a finished trial of a study tried.

    Raises:
        PrimeSVTError: There is no such finished trial, or the study is about another model.
    """
    if study.user_attrs[SETTINGS]["model"] != fingerprint(model):
        raise PrimeSVTError(
            f"The study {study.study_name!r} is about another model: what it measured says nothing of this one. Give "
            "its model, or the plan as a file (--plan)."
        )
    finished = {t.number: t for t in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if number not in finished:
        raise PrimeSVTError(
            f"Study {study.study_name!r} has no finished trial {number}; it has {len(finished)} finished trials."
        )
    return grid_of(StudySettings.from_json(study.user_attrs[SETTINGS]), model).plan_of(finished[number])
