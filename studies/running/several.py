"""Running the studies of a comparison, one after the other, each with its progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optuna.storages import BaseStorage
from torch import nn

from primesvt.models import DataSet, PrimeSVTError
from primesvt.search import DEFAULT_CACHE

from .budget import Budget, Pace, total
from .progress import Bar, bar, say
from .runner import Status, StudyRun, run_study
from .settings import StudySettings


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

    def studies(self, seeds: int, prefix: str) -> "list[Arm]":
        """One arm for every study: with its seed, and its whole name."""
        first = self.settings.seed
        return [
            replace(self, name=f"{prefix}{self.name}-seed{seed}", settings=replace(self.settings, seed=seed))
            for seed in range(first, first + (1 if self.settings.kind.deterministic else seeds))
        ]


def run_studies(
    storage: BaseStorage,
    model: nn.Module,
    data: DataSet,
    arms: Sequence[Arm],
    *,
    seeds: int,
    prefix: str = "",
    cache: int = DEFAULT_CACHE,
) -> list[StudyRun]:
    """Run every arm with every seed; one whose sampler draws nothing at random runs once.

    What that will cost is said first.

    Args:
        storage: Where the trials are kept; studies that are there go on.
        model: The unpruned model.
        data: The data set.
        arms: What to run.
        seeds: How many seeds, from that of the settings on.
        prefix: Begins the studies' names.
        cache: Bytes of activations that each study may keep.

    Raises:
        PrimeSVTError: There is nothing to run, or a study cannot run.
        KeyboardInterrupt: The user stopped it; all finished trials stay.
    """
    if not arms or seeds < 1:
        raise PrimeSVTError("There must be at least one sampler and one seed.")
    planned = [study for arm in arms for study in arm.studies(seeds, prefix)]
    budgets = [Budget.of(each.name, each.settings, each.trials, model, data) for each in planned]
    for line in [*(budget.text for budget in budgets), total(budgets)]:
        say(line)
    pace, runs = Pace(budgets), []
    for place, each in enumerate(planned):
        pace.begin(place)
        with bar(f"study {place + 1} of {len(planned)}, {each.name}") as progress:
            told = _teller(progress, pace)
            run = run_study(
                each.name, storage, model, data, each.settings, trials=each.trials, cache=cache, on_status=told
            )
        if run.interrupted:
            say("Stopped; all finished trials are kept. Run the same command again to go on.")
            raise KeyboardInterrupt
        runs.append(run)
    return runs


def _teller(progress: Bar, pace: Pace) -> Callable[[Status], None]:
    return lambda status: progress.status(status, pace.left(status))
