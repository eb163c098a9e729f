"""Running the studies of a comparison, one after the other, each with its progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optuna.storages import BaseStorage

from primesvt.models import PrimeSVTError

from .budget import Budget, Pace, total
from .progress import Bar, bar, say
from .runner import RunOptions, Status, run_study
from .settings import StudySettings
from .study_run import StudyRun
from .subject import Subject


@dataclass(frozen=True)
class Arm:
    """One way to search, which is run with several seeds.

    Args:
        name: Begins the names of its studies.
        settings: How it searches; the seed is the first one.
        trials: Trials of each study in all; None for as many as the sampler needs.
    """

    name: str
    settings: StudySettings
    trials: int | None = None


def studies_of(arms: Sequence[Arm], seeds: int, prefix: str = "") -> list[Arm]:
    """Every arm with every seed, by its study's whole name; one whose sampler draws nothing at random stands for all.

    Args:
        arms: What to run.
        seeds: How many seeds, from that of the settings on.
        prefix: Begins the studies' names.

    Raises:
        PrimeSVTError: There is nothing to run.
    """
    if not arms or seeds < 1:
        raise PrimeSVTError("There must be at least one sampler and one seed.")
    return [
        replace(arm, name=f"{prefix}{arm.name}-seed{seed}", settings=replace(arm.settings, seed=seed))
        for arm in arms
        for seed in range(arm.settings.seed, arm.settings.seed + (1 if arm.settings.kind.deterministic else seeds))
    ]


def run_studies(
    storage: BaseStorage, subject: Subject, studies: Sequence[Arm], options: RunOptions | None = None
) -> list[StudyRun]:
    """Run studies one after the other. What that will cost is said first.

    Args:
        storage: Where the trials are kept; studies that are there go on.
        subject: The unpruned model and the data set.
        studies: What to run, each by its whole name (:func:`studies_of`).
        options: How to run them, except for their trials and for what is called after one.

    Raises:
        PrimeSVTError: A study cannot run.
        KeyboardInterrupt: The user stopped it; all finished trials stay.
    """
    budgets = [Budget.of(each.name, each.settings, each.trials, subject) for each in studies]
    for line in [*(budget.text for budget in budgets), total(budgets)]:
        say(line)
    options, pace, runs = replace(options or RunOptions(), evaluators=[]), Pace(budgets), []
    for place, each in enumerate(studies):
        pace.begin(place)
        with bar(f"study {place + 1} of {len(studies)}, {each.name}") as progress:
            own = replace(options, trials=each.trials, on_status=_teller(progress, pace))
            run = run_study(each.name, storage, subject, each.settings, own)
        if run.interrupted:
            say("Stopped; all finished trials are kept. Run the same command again to go on.")
            raise KeyboardInterrupt
        runs.append(run)
    return runs


def _teller(progress: Bar, pace: Pace) -> Callable[[Status], None]:
    return lambda status: progress.status(status, pace.left(status), pace.own(status))
