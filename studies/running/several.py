"""Running the studies of a comparison, one after the other, each with its progress."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from optuna.storages import BaseStorage
from torch import nn

from primesvt.models import DataSet, PrimeSVTError
from primesvt.search import DEFAULT_MEMORY
from primesvt.search.samplers import PRIORITIZED, SAMPLERS

from .progress import bar, say
from .runner import StudyRun, run_study
from .settings import StudySettings


def run_studies(
    storage: BaseStorage,
    model: nn.Module,
    data: DataSet,
    settings: StudySettings,
    *,
    samplers: Sequence[str],
    seeds: int,
    trials: Mapping[str, int | None],
    prefix: str = "",
    memory: int = DEFAULT_MEMORY,
) -> list[StudyRun]:
    """Run every sampler with every seed; the prioritized one draws nothing at random, and runs once.

    Args:
        storage: Where the trials are kept; studies that are there go on.
        model: The unpruned model.
        data: The data set.
        settings: How to search; sampler and seed are replaced.
        samplers: Names of the samplers.
        seeds: How many seeds, from that of the settings on.
        trials: Trials of each study in all, by sampler; None for the sampler's default.
        prefix: Begins the studies' names.
        memory: Bytes of activations that each study may keep.

    Raises:
        PrimeSVTError: A sampler is unknown, or a study cannot run.
        KeyboardInterrupt: The user stopped it; all finished trials stay.
    """
    if unknown := [name for name in samplers if name not in SAMPLERS]:
        raise PrimeSVTError(f"Unknown sampler {unknown[0]!r}; known are {', '.join(SAMPLERS)}.")
    if not samplers or seeds < 1:
        raise PrimeSVTError("There must be at least one sampler and one seed.")
    runs = []
    for sampler in dict.fromkeys(samplers):
        for seed in range(settings.seed, settings.seed + (1 if sampler == PRIORITIZED else seeds)):
            name = f"{prefix}{sampler}-seed{seed}"
            own = replace(settings, sampler=sampler, seed=seed)
            with bar(name) as progress:
                run = run_study(
                    name, storage, model, data, own, trials=trials[sampler], memory=memory, on_status=progress.status
                )
            if run.interrupted:
                say("Stopped; all finished trials are kept. Run the same command again to go on.")
                raise KeyboardInterrupt
            runs.append(run)
    return runs
