"""Running the studies of a comparison, one after the other, each with its progress."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from optuna.storages import BaseStorage
from torch import nn

from primesvt.models import DataSet, PrimeSVTError
from primesvt.search import DEFAULT_MEMORY

from .progress import bar, say
from .runner import StudyRun, run_study
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


def run_studies(
    storage: BaseStorage,
    model: nn.Module,
    data: DataSet,
    arms: Sequence[Arm],
    *,
    seeds: int,
    prefix: str = "",
    memory: int = DEFAULT_MEMORY,
) -> list[StudyRun]:
    """Run every arm with every seed; one whose sampler draws nothing at random runs once.

    Args:
        storage: Where the trials are kept; studies that are there go on.
        model: The unpruned model.
        data: The data set.
        arms: What to run.
        seeds: How many seeds, from that of the settings on.
        prefix: Begins the studies' names.
        memory: Bytes of activations that each study may keep.

    Raises:
        PrimeSVTError: There is nothing to run, or a study cannot run.
        KeyboardInterrupt: The user stopped it; all finished trials stay.
    """
    if not arms or seeds < 1:
        raise PrimeSVTError("There must be at least one sampler and one seed.")
    runs = []
    for arm in arms:
        for i in range(1 if arm.settings.kind.deterministic else seeds):
            own = replace(arm.settings, seed=arm.settings.seed + i)
            name = f"{prefix}{arm.name}-seed{own.seed}"
            with bar(name) as progress:
                run = run_study(
                    name, storage, model, data, own, trials=arm.trials, memory=memory, on_status=progress.status
                )
            if run.interrupted:
                say("Stopped; all finished trials are kept. Run the same command again to go on.")
                raise KeyboardInterrupt
            runs.append(run)
    return runs
