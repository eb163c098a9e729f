"""Running the studies of a comparison, each with its progress."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from optuna.storages import BaseStorage

from primesvt.models import Backend
from primesvt.search import BASELINE
from primesvt.search.samplers import POLICY_START

from .arm import Arm
from .budget import Budget, Pace, total
from .progress import bar, bars, say
from .runner import RunOptions, Status, run_study
from .side_by_side import Processes, run_side_by_side
from .storage import storage_errors
from .study_run import StudyRun, existing, finished_run
from .subject import Subject


def run_studies(
    storage: BaseStorage,
    subject: Subject,
    studies: Sequence[Arm],
    options: RunOptions | None = None,
    processes: Processes | None = None,
) -> list[StudyRun]:
    """Run studies, one after the other or side by side: their trials are the same. What it will cost is said first.

    Args:
        storage: Where the trials are kept; studies that are there go on.
        subject: The unpruned model and the data set.
        studies: What to run, each by its whole name (:func:`~primesvt.studies.running.arm.studies_of`).
        options: How to run them, except for their trials and for what is called after one.
        processes: Who runs them side by side; None runs them here.

    Raises:
        PrimeSVTError: A study cannot run.
        KeyboardInterrupt: The user stopped it; all finished trials stay.
    """
    budgets = [Budget.of(each.name, each.settings, each.trials, subject) for each in studies]
    for line in [*(budget.text for budget in budgets), total(budgets)]:
        say(line)
    options, pace = replace(options or RunOptions(), evaluators=[]), Pace(budgets)
    if processes is not None and processes.count > 1:
        trials = [budget.trials for budget in budgets]
        left = [at for at, each in enumerate(studies) if not _is_over(storage, subject, each, trials[at], options)]
        if len(left) > 1:
            _ahead(processes, studies, left, options, pace)
    runs = []
    for place, each in enumerate(studies):
        own = replace(options, trials=each.trials)
        if place in pace.ended:
            run = run_study(each.name, storage, subject, each.settings, own)
        else:
            with bar(_title(studies, place)) as progress:
                own = replace(own, on_status=progress.pacing(pace, place))
                run = run_study(each.name, storage, subject, each.settings, own)
            pace.end(place)
        if run.interrupted:
            _say_stopped()
            raise KeyboardInterrupt
        runs.append(run)
    return runs


def _is_over(storage: BaseStorage, subject: Subject, each: Arm, trials: int, options: RunOptions) -> bool:
    """Whether a study has all its trials already."""
    with storage_errors(f"study {each.name!r}"):
        study = existing(each.name, storage)
        if study is None or BASELINE not in study.user_attrs:
            return False
        run = finished_run(each.name, storage, subject, Backend.named(options.device, each.settings.precision))
        return len(run.finished) >= trials or run.over


def _ahead(processes: Processes, studies: Sequence[Arm], left: Sequence[int], options: RunOptions, pace: Pace) -> None:
    """Have processes run the studies at some places to their ends; last those that begin with another one's plan."""
    follows = {place: studies[place].settings.chosen_start == POLICY_START for place in left}
    say(f"{min(processes.count, len(left))} processes run them side by side.")
    with bars() as begin:
        shown: dict[int, Callable[[Status], None]] = {}

        def tell(place: int, status: Status) -> None:
            if place not in shown:
                shown[place] = begin(_title(studies, place)).pacing(pace, place)
            shown[place](status)

        try:
            for last in (False, True):
                if wave := {place: studies[place] for place in left if follows[place] == last}:
                    run_side_by_side(processes, wave, options, tell, pace.end)
        except KeyboardInterrupt:
            _say_stopped()
            raise


def _title(studies: Sequence[Arm], place: int) -> str:
    return f"study {place + 1} of {len(studies)}, {studies[place].name}"


def _say_stopped() -> None:
    say("Stopped; all finished trials are kept. Run the same command again to go on.")
