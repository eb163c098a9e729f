"""Running one study: one sampler on one model, data set and constraint set."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from torch import nn

from primesvt.models import DataSet, PrimeSVTError, fingerprint
from primesvt.pruning import PruningPlan
from primesvt.search import (
    BASELINE,
    DECIDED_EARLY,
    DEFAULT_MEMORY,
    DIRECTIONS,
    OBJECTIVES,
    Evaluation,
    Evaluator,
    KnownEvaluations,
    Objective,
    SearchSpace,
    StoppingRule,
    baseline_of,
    is_mine,
    is_running,
)
from primesvt.search.samplers import PRIORITIZED, PrioritizedSampler, make_sampler

from .settings import StudySettings, check_identity, study_identity
from .storage import storage_errors

SETTINGS = "settings"
DEFAULT_TRIALS = 200


@dataclass(frozen=True)
class Status:
    """Where a study is.

    Args:
        done: Trials finished.
        total: Trials it shall have.
        feasible: Finished trials that keep the limits.
        best: The feasible trial that saves most, or None.
    """

    done: int
    total: int
    feasible: int
    best: FrozenTrial | None


@dataclass(frozen=True)
class StudyRun:
    """A study with what it is about.

    Args:
        study: Optuna's study.
        settings: How it searches.
        space: What it chooses from.
        baseline: The unpruned model on the images of the search.
        interrupted: Whether the user stopped it.
    """

    study: optuna.Study
    settings: StudySettings
    space: SearchSpace
    baseline: Evaluation
    interrupted: bool = False

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
        """The feasible trial with the largest saving, of equal ones the most accurate; None where there is none."""
        return max(self.feasible, key=lambda t: (t.values[0], t.values[1], -t.number), default=None)

    @property
    def nearest(self) -> FrozenTrial | None:
        """The finished trial that misses the limits least, of equal ones the most accurate.

        It may have been decided early: then how much it misses them by is an estimate.
        """
        return min(self.finished, key=lambda t: (violation(t), -t.values[1], t.number), default=None)

    @property
    def over(self) -> bool:
        """Whether the sampler came to an end of its own; samplers that know none never do."""
        return _is_over(
            make_sampler(self.settings.sampler, self.space, self.settings.policy(self.space), seed=0), self.study
        )

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
                "memory_saving": best.values[0],
                "accuracy": best.values[1],
                "accuracy_drop": best.user_attrs["accuracy_drop"],
                "ratios": dict(self.plan(best).ratios),
            },
        }


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether a finished trial keeps all limits."""
    return bool(trial.constraints) and all(value <= 0 for value in trial.constraints.values())


def decided_early(trial: FrozenTrial) -> str:
    """Why measuring a finished trial's plan stopped before the last image; empty where it did not."""
    return str(trial.user_attrs.get(DECIDED_EARLY, ""))


def violation(trial: FrozenTrial) -> float:
    """By how much a trial misses its limits: points of accuracy plus points of memory, as Optuna's samplers count."""
    return sum(max(0.0, excess) for excess in trial.constraints.values())


def run_study(
    name: str,
    storage: BaseStorage,
    model: nn.Module,
    data: DataSet,
    settings: StudySettings,
    *,
    trials: int | None = None,
    memory: int = DEFAULT_MEMORY,
    on_status: Callable[[Status], None] = lambda _: None,
    on_batch: Callable[[int], None] = lambda _: None,
) -> StudyRun:
    """Run a study until it has ``trials`` finished trials, or its sampler has ended it; go on where it is.

    Ctrl-C ends it at once: the trial that runs fails, and is proposed again when the study goes on; all finished trials
    stay.

    Args:
        name: Name of the study in the storage.
        storage: Where its trials are kept.
        model: The unpruned model.
        data: The data set; only its selection set is looked at.
        settings: How to search.
        trials: Finished trials that the study shall have in all; None is as many as the prioritized sampler needs, and
            :data:`DEFAULT_TRIALS` for any other.
        memory: Bytes of activations to keep, so that plans which agree on the first layers need not compute them again.
        on_status: Called before the first and after every trial.
        on_batch: Called after every batch of images with their number.

    Raises:
        PrimeSVTError: The settings make no sense for this model, the study exists with other ones, or the storage
            fails.
    """
    space = settings.space(model)
    if trials is None:
        trials = settings.policy(space).most_trials if settings.sampler == PRIORITIZED else DEFAULT_TRIALS
    if trials < 1:
        raise PrimeSVTError(f"trials must be at least 1, got {trials}.")
    settings.check_reachable(model, space)
    evaluator = Evaluator(model, settings.selection(data), on_batch, memory)
    sampler = make_sampler(settings.sampler, space, settings.policy(space), seed=settings.seed)
    with storage_errors(f"study {name!r}"):
        study = _open_study(name, storage, sampler, study_identity(settings, model, evaluator.images))
        known = KnownEvaluations(study)
        _bury_dead_trials(study)
        baseline = baseline_of(study, evaluator, known)
        run = StudyRun(study, settings, space, baseline.evaluation)
        stopping = StoppingRule(
            baseline=baseline, constraints=settings.constraints, slack=settings.leeway, risk=settings.risk
        )
        objective = Objective(space, evaluator, settings.constraints, baseline.evaluation, known, stopping)
        try:
            _optimize(run, objective, trials, on_status)
        except KeyboardInterrupt:
            _bury_dead_trials(study)
            run = replace(run, interrupted=True)
    return run


def _optimize(run: StudyRun, objective: Objective, trials: int, on_status: Callable[[Status], None]) -> None:
    def report() -> int:
        done = len(run.finished)
        on_status(Status(done, trials, len(run.feasible), run.best))
        return done

    done = report()
    # One trial at a time: other workers on the same study count towards its trials, too.
    while done < trials and not _is_over(run.study.sampler, run.study):
        run.study.optimize(objective, n_trials=1)
        done = report()


def load_run(name: str, storage: BaseStorage) -> optuna.Study:
    """A study that exists.

    Raises:
        PrimeSVTError: The storage has no such study, or it is none of PrimeSVT's.
    """
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError as error:
        names = optuna.get_all_study_names(storage)
        raise PrimeSVTError(f"No study {name!r} in this storage; it has {', '.join(names) or 'none'}.") from error
    if SETTINGS not in study.user_attrs:
        raise PrimeSVTError(f"The study {name!r} was not made by PrimeSVT.")
    return study


def finished_run(name: str, storage: BaseStorage, model: nn.Module, data: DataSet) -> StudyRun:
    """A study that exists, as it is, for a comparison.

    Raises:
        PrimeSVTError: The storage has no such study, or it is about another model or data set.
    """
    study = load_run(name, storage)
    settings = StudySettings.from_json(study.user_attrs[SETTINGS])
    check_identity(name, study.user_attrs[SETTINGS], study_identity(settings, model, settings.selection(data)))
    if BASELINE not in study.user_attrs:
        raise PrimeSVTError(f"The study {name!r} has no finished trial yet; run it first.")
    baseline = Evaluation.from_json(study.user_attrs[BASELINE])
    return StudyRun(study, settings, settings.space(model), baseline)


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
    ratios = {layer: round(float(ratio), 9) for layer, ratio in finished[number].params.items() if ratio > 0}
    return PruningPlan(ratios, study.user_attrs[SETTINGS]["criterion"])


def _open_study(
    name: str, storage: BaseStorage, sampler: optuna.samplers.BaseSampler, identity: Mapping[str, Any]
) -> optuna.Study:
    # The progress bar says what Optuna's log would, and a trial that is interrupted is no reason for a traceback.
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler)
    except KeyError:
        with suppress(optuna.exceptions.DuplicatedStudyError):  # another worker was faster
            optuna.create_study(study_name=name, storage=storage, directions=DIRECTIONS)
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler)
    new = not study.get_trials(deepcopy=False) and [d.name.lower() for d in study.directions] == list(DIRECTIONS)
    if new and SETTINGS not in study.user_attrs:  # also where the process that created it came no further
        study.set_metric_names(list(OBJECTIVES))
        study.set_user_attr(SETTINGS, dict(identity))
    check_identity(name, study.user_attrs.get(SETTINGS), identity)
    stored = study.user_attrs[SETTINGS]
    if not identity.keys() <= stored.keys():  # made by an earlier version: from now on it has these settings, too
        study.set_user_attr(SETTINGS, {**identity, **stored})
    return study


def _bury_dead_trials(study: optuna.Study) -> None:
    """Trials whose process was killed would run for ever; the sampler proposes their plans again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # This thread is about to begin a trial, so it runs none.
        if is_mine(trial) or not is_running(trial):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def _is_over(sampler: optuna.samplers.BaseSampler, study: optuna.Study) -> bool:
    return isinstance(sampler, PrioritizedSampler) and sampler.result(study) is not None
