"""Running one study: one sampler on one model, data set and constraint set."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from primesvt.models import Backend, PrimeSVTError
from primesvt.search import (
    DEFAULT_CACHE,
    Evaluator,
    FinishedTrials,
    KnownEvaluations,
    Objective,
    Places,
    StoppingRule,
    baseline_of,
    best_trial,
    give_up,
    has_goals,
    is_feasible,
    is_mine,
    is_running,
    lost_trial,
)
from primesvt.search.samplers import Problem, make_sampler
from primesvt.search.starts import enqueue_next

from .console import say
from .fixed_start import begin_start
from .identity import check_identity, study_identity
from .kept_tables import keep_tables, tables_for
from .problem import check_reachable, problem_of
from .settings import StudySettings, Tables
from .storage import storage_errors
from .study_run import SETTINGS, StudyRun, existing
from .subject import Subject

_POLL_SECONDS = 0.5


class _SurplusError(Exception):
    """A trial too many has begun."""


@dataclass(frozen=True)
class Status:
    """Where a study is.

    Args:
        done: Trials finished.
        total: Trials it shall have, or that one worker of a study which ends by itself needs at most.
        feasible: Finished trials that keep the limits.
        best: The feasible trial that saves most, or None.
    """

    done: int
    total: int
    feasible: int
    best: FrozenTrial | None


class _Standing:
    """What the finished trials of a study come to, of which each is looked at once.

    Args:
        study: The study.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._finished = FinishedTrials(study, self._see)
        self._done = self._feasible = 0
        self._best: list[FrozenTrial] = []

    def status(self, total: int) -> Status:
        """Where the study is, that shall have so many trials in all."""
        self._finished.update()
        return Status(self._done, total, self._feasible, best_trial(self._best))

    def _see(self, trial: FrozenTrial) -> None:
        if trial.state == TrialState.COMPLETE:
            self._done += 1
            self._feasible += is_feasible(trial)
            best = best_trial([*self._best, trial])
            self._best = [] if best is None else [best]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a study is run; nothing of it changes what a trial finds, but for the rounding of another class of device.

    Args:
        trials: Finished trials that the study shall have in all; None is as many as the sampler needs.
        cache: Bytes of activations to keep, so that plans which agree on the first layers need not compute them again.
        device: Where plans are measured and repaired, as :func:`~primesvt.models.find_device` knows it; None is the
            engine of the CPU. Its class becomes one of the study's settings.
        on_status: Called before the first and after every trial.
        on_batch: Called after every batch of images with their number.
        on_table: Called while the table of a measure is made, with its name, the steps done, and all.
        evaluator_type: How plans are measured.
        evaluators: What measured the plans of studies before this one, of studies that are run one after the other:
            those of the same model and images share what the unpruned model answered and what plans have in common.
            None shares nothing: activations that are kept serve one study at a time.
    """

    trials: int | None = None
    cache: int = DEFAULT_CACHE
    device: str | None = None
    on_status: Callable[[Status], None] = lambda _: None
    on_batch: Callable[[int], None] = lambda _: None
    on_table: Callable[[str, int, int], None] = lambda _name, _done, _total: None
    evaluator_type: type[Evaluator] = Evaluator
    evaluators: list[Evaluator] | None = None

    def evaluator(self, subject: Subject, settings: StudySettings, tables: Tables) -> Evaluator:
        """What measures the plans of a study, given the tables that it keeps.

        Raises:
            PrimeSVTError: There is no such device.
        """
        made = self.evaluator_type(
            subject.model,
            settings.selection(subject.data),
            self.on_batch,
            self.cache,
            calibration=settings.calibration_of(subject.data),
            measures=settings.measures_knowing(tables),
            backend=Backend.named(self.device, settings.precision),
        )
        if self.evaluators is None:
            return made
        known = next((one for one in self.evaluators if one.measures_as(made)), made)
        if known is made:
            self.evaluators.append(made)
        return known


def run_study(
    name: str, storage: BaseStorage, subject: Subject, settings: StudySettings, options: RunOptions | None = None
) -> StudyRun:
    """Run a study until it has all its finished trials, or its sampler has ended it; go on where it is.

    Ctrl-C ends it at once: the trial that runs fails, and is proposed again when the study goes on; all finished trials
    stay.

    Args:
        name: Name of the study in the storage.
        storage: Where its trials are kept.
        subject: The unpruned model and the data set.
        settings: How to search.
        options: How to run it; the defaults where it is None.

    Raises:
        PrimeSVTError: The settings make no sense for this model, the study exists with other ones, or is deleted
            meanwhile, or the storage fails.
    """
    # The progress bar says what Optuna's log would, and a trial that is interrupted is no reason for a traceback.
    optuna.logging.set_verbosity(logging.ERROR)
    options = options or RunOptions()
    with storage_errors(f"study {name!r}"):
        study = existing(name, storage)
        settings = settings.as_begun(None if study is None else study.user_attrs.get(SETTINGS))
        tables = tables_for(study, storage, settings, subject.model, options.on_table)
    evaluator = options.evaluator(subject, settings, tables)
    settings = settings.on(evaluator.backend)
    problem = problem_of(settings, evaluator.pruner, tables)
    trials = settings.kind.trials(problem, settings.options) if options.trials is None else options.trials
    if trials < 1:
        raise PrimeSVTError(f"trials must be at least 1, got {trials}.")
    settings = settings.for_trials(trials)
    check_reachable(settings, subject.model, problem.space)
    sampler = make_sampler(settings.sampler, problem, settings.options, seed=settings.seed)
    with storage_errors(f"study {name!r}"):
        study = study or _created(name, storage, settings)
    with storage_errors(f"study {name!r}"), _noticing_deletion(name, study, storage):
        study.sampler = sampler
        _claim(study, settings, study_identity(settings, subject.model, evaluator.images))
        # Another worker that began at the same time may have been faster.
        if tables and (measures := settings.measures_knowing(keep_tables(study, tables))) != evaluator.measures:
            evaluator = replace(evaluator, measures=measures)
        run, objective = _begin(study, settings, problem, evaluator)
        begin_start(run, evaluator.pruner, trials)
        try:
            # As many as it needs where it ends by itself: several workers also measure guesses.
            needed = options.trials is None and settings.kind.ends_by_itself
            _optimize(run, objective, trials, math.inf if needed else trials, options.on_status)
        except KeyboardInterrupt:
            run = replace(run, interrupted=True)
        # Also those of workers that were killed meanwhile: there may be nobody who begins another trial.
        _bury_dead_trials(study)
    return run


def _created(name: str, storage: BaseStorage, settings: StudySettings) -> optuna.Study:
    # Another worker may be faster.
    return optuna.create_study(
        study_name=name, storage=storage, directions=settings.goals.directions, load_if_exists=True
    )


@contextmanager
def _noticing_deletion(name: str, study: optuna.Study, storage: BaseStorage) -> Iterator[None]:
    """Say that somebody deleted the study, where a storage says only that there is no such number."""
    try:
        yield
    except KeyError:
        now = existing(name, storage)  # perhaps another one, begun anew
        if now is not None and now._study_id == study._study_id:
            raise
        raise PrimeSVTError(
            f"The study {name!r} is gone from its storage: somebody has deleted it while it ran. The same command "
            "begins it anew."
        ) from None


def _claim(study: optuna.Study, settings: StudySettings, identity: Mapping[str, Any]) -> None:
    """Write into a new study what it is about; refuse one that is about something else."""
    new = not study.get_trials(deepcopy=False) and has_goals(study, settings.goals)
    if new and SETTINGS not in study.user_attrs:  # also where the process that created it came no further
        study.set_metric_names(list(settings.goals.names))
        study.set_user_attr(SETTINGS, dict(identity))
    check_identity(study.study_name, study.user_attrs.get(SETTINGS), identity)
    stored = study.user_attrs[SETTINGS]
    # Made by an earlier version, it has these settings from now on, too; options that its sampler lacked then stay
    # missing: that says what they are, whatever a command's default is.
    added = {name: identity[name] for name in identity.keys() - stored.keys() - settings.kind.earlier.keys()}
    if added:
        study.set_user_attr(SETTINGS, {**added, **stored})


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
    known.keep_elsewhere(stopping.keeps)
    objective = Objective(
        problem.space, evaluator, settings.constraints, baseline.evaluation, known, stopping, settings.goals
    )
    return StudyRun(study, settings, problem, baseline.evaluation), objective


def _optimize(
    run: StudyRun, objective: Objective, expected: int, trials: float, on_status: Callable[[Status], None]
) -> None:
    places, standing = Places(run.study), _Standing(run.study)

    def report() -> int:
        status = standing.status(expected)
        on_status(status)
        return status.done

    def measured(trial: optuna.Trial) -> tuple[float, ...]:
        if places.is_surplus(trial, trials):
            raise _SurplusError
        return objective(trial)

    done = report()
    # One trial at a time: other workers on the same study count towards its trials, too.
    while done < trials and run.settings.kind.result(run.study.sampler, run.study) is None:
        if places.has_room(trials):
            enqueue_next(run.study, run.space)
            _next_trial(run.study, measured)
        else:  # those that run are the last, where none of them fails
            time.sleep(_POLL_SECONDS)
        done = report()


def _next_trial(study: optuna.Study, objective: Callable[[optuna.Trial], tuple[float, ...]]) -> None:
    try:
        study.optimize(objective, n_trials=1, catch=(_SurplusError,))
    except Exception as error:  # Optuna has several errors for a trial that ended meanwhile
        if isinstance(error.__context__, KeyboardInterrupt):
            # One of its own, where it was interrupted while it wrote a trial's end.
            raise error.__context__ from None
        number = lost_trial(study)
        if number is None:
            raise
        say(f"Trial {number} was given up by another worker, which heard nothing of it for minutes; it is tried again.")


def _bury_dead_trials(study: optuna.Study) -> None:
    """Trials whose process was killed would run for ever; the sampler proposes their plans again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # This thread is about to begin a trial, so it runs none.
        if is_mine(trial):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        elif not is_running(trial):
            give_up(study, trial)
