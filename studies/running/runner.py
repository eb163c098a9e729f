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
from primesvt.pruning import Pruner, PruningPlan
from primesvt.search import (
    BASELINE,
    DEFAULT_CACHE,
    Evaluation,
    Evaluator,
    KnownEvaluations,
    Objective,
    SearchSpace,
    StoppingRule,
    accuracy_of,
    baseline_of,
    best_trial,
    decided_early,
    evaluation_of,
    has_goals,
    is_feasible,
    is_mine,
    is_running,
    nearest_trial,
    saving_of,
)
from primesvt.search.samplers import Problem, make_sampler

from .settings import StudySettings, check_identity, study_identity
from .storage import storage_errors

SETTINGS = "settings"


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


def run_study(
    name: str,
    storage: BaseStorage,
    model: nn.Module,
    data: DataSet,
    settings: StudySettings,
    *,
    trials: int | None = None,
    cache: int = DEFAULT_CACHE,
    on_status: Callable[[Status], None] = lambda _: None,
    on_batch: Callable[[int], None] = lambda _: None,
    evaluator_type: type[Evaluator] = Evaluator,
) -> StudyRun:
    """Run a study until it has ``trials`` finished trials, or its sampler has ended it; go on where it is.

    Ctrl-C ends it at once: the trial that runs fails, and is proposed again when the study goes on; all finished trials
    stay.

    Args:
        name: Name of the study in the storage.
        storage: Where its trials are kept.
        model: The unpruned model.
        data: The data set; only its selection set is looked at, and its calibration set by what needs it.
        settings: How to search.
        trials: Finished trials that the study shall have in all; None is as many as the sampler needs.
        cache: Bytes of activations to keep, so that plans which agree on the first layers need not compute them again.
        on_status: Called before the first and after every trial.
        on_batch: Called after every batch of images with their number.
        evaluator_type: How plans are measured.

    Raises:
        PrimeSVTError: The settings make no sense for this model, the study exists with other ones, or the storage
            fails.
    """
    settings = _as_begun(name, storage, settings)
    evaluator = evaluator_type(
        model,
        settings.selection(data),
        on_batch,
        cache,
        calibration=settings.calibration_of(data),
        measures=settings.all_measures,
    )
    problem = settings.problem(evaluator.pruner)
    trials = settings.kind.trials(problem, settings.options) if trials is None else trials
    if trials < 1:
        raise PrimeSVTError(f"trials must be at least 1, got {trials}.")
    settings = settings.for_trials(trials)
    settings.check_reachable(model, problem.space)
    sampler = make_sampler(settings.sampler, problem, settings.options, seed=settings.seed)
    with storage_errors(f"study {name!r}"):
        study = _open_study(name, storage, sampler, settings, study_identity(settings, model, evaluator.images))
        run, objective = _begin(study, settings, problem, evaluator)
        try:
            _optimize(run, objective, trials, on_status)
        except KeyboardInterrupt:
            _bury_dead_trials(study)
            run = replace(run, interrupted=True)
    return run


def _begin(
    study: optuna.Study, settings: StudySettings, problem: Problem, evaluator: Evaluator
) -> tuple[StudyRun, Objective]:
    """What a study needs before its first trial, or to go on: the unpruned model's answers above all."""
    known = KnownEvaluations(study)
    _bury_dead_trials(study)
    baseline = baseline_of(study, evaluator, known)
    stopping = StoppingRule(
        baseline=baseline,
        constraints=settings.constraints,
        slack=settings.kind.leeway(settings.options),
        risk=settings.risk,
    )
    objective = Objective(
        problem.space, evaluator, settings.constraints, baseline.evaluation, known, stopping, settings.goals
    )
    return StudyRun(study, settings, problem, baseline.evaluation), objective


def _optimize(run: StudyRun, objective: Objective, trials: int, on_status: Callable[[Status], None]) -> None:
    def report() -> int:
        done = len(run.finished)
        on_status(Status(done, trials, len(run.feasible), run.best))
        return done

    done = report()
    # One trial at a time: other workers on the same study count towards its trials, too.
    while done < trials and run.settings.kind.result(run.study.sampler, run.study) is None:
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
    pruner = Pruner(model, settings.calibration_of(data))
    return StudyRun(study, settings, settings.problem(pruner), baseline)


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
    return StudySettings.from_json(study.user_attrs[SETTINGS]).space(model).plan_of(finished[number])


def _as_begun(name: str, storage: BaseStorage, settings: StudySettings) -> StudySettings:
    """The settings, for going on with a study that an earlier version may have begun."""
    with storage_errors(f"study {name!r}"):
        try:
            stored = optuna.load_study(study_name=name, storage=storage).user_attrs.get(SETTINGS)
        except KeyError:
            return settings
    return settings if stored is None or stored.get("sampler") != settings.sampler else settings.as_begun(stored)


def _open_study(
    name: str,
    storage: BaseStorage,
    sampler: optuna.samplers.BaseSampler,
    settings: StudySettings,
    identity: Mapping[str, Any],
) -> optuna.Study:
    # The progress bar says what Optuna's log would, and a trial that is interrupted is no reason for a traceback.
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler)
    except KeyError:
        with suppress(optuna.exceptions.DuplicatedStudyError):  # another worker was faster
            optuna.create_study(study_name=name, storage=storage, directions=settings.goals.directions)
        study = optuna.load_study(study_name=name, storage=storage, sampler=sampler)
    new = not study.get_trials(deepcopy=False) and has_goals(study, settings.goals)
    if new and SETTINGS not in study.user_attrs:  # also where the process that created it came no further
        study.set_metric_names(list(settings.goals.names))
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
