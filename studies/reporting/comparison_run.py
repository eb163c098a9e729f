"""A comparison that a user runs: every study with its progress, the test set, and the directory with the result."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from optuna.storages import BaseStorage
from torch import nn

from primesvt.models import DataSet, PrimeSVTError, save_model
from primesvt.pruning import DEFAULT_CALIBRATION, Calibration, save_plan
from primesvt.search import DEFAULT_MEMORY

from ..commands.arguments import write_text
from ..running.progress import bar, say
from ..running.runner import StudyRun, run_study
from ..running.settings import StudySettings
from .comparison import Comparison, compare
from .measurement import TestSet
from .report import report_page, summary

REPORT = "report.html"
SUMMARY = "summary.json"
MODEL = "model"
PLAN = "plan.json"
STORAGE = "studies.db"
FINETUNED = "finetuned"
_MARKER = ".primesvt"


def prepare(directory: Path) -> None:
    """Make and mark the output directory; what a comparison writes replaces what an earlier one wrote there.

    Raises:
        PrimeSVTError: It holds what no comparison wrote, or cannot be made.
    """
    marker = directory / _MARKER
    try:
        directory.mkdir(parents=True, exist_ok=True)
        foreign = sorted(file.name for file in directory.iterdir() if not file.name.startswith(STORAGE))
        if foreign and not marker.exists():
            raise PrimeSVTError(
                f"{directory} is not empty, and not the result of a comparison ({', '.join(foreign[:3])}); choose "
                "another directory."
            )
        marker.write_text("A result of PrimeSVT: running the comparison again replaces it.\n", encoding="utf-8")
    except OSError as error:
        raise PrimeSVTError(f"Cannot write to {directory}: {error.strerror or error}.") from error


def storage_in(directory: Path) -> str:
    """URL of the storage inside the output directory."""
    return f"sqlite:///{directory / STORAGE}"


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


def open_test_set(model: nn.Module, data: DataSet, calibration: int = DEFAULT_CALIBRATION) -> TestSet:
    """The test set with the unpruned model's answers on it.

    Args:
        model: The unpruned model.
        data: The data set.
        calibration: How many calibration images criteria and repair steps may look at.
    """
    seen = 0
    with bar("test set: unpruned model") as progress:

        def count(batch: int) -> None:
            nonlocal seen
            seen += batch
            progress.update(seen, len(data.test))

        opened = TestSet.open(model, data.test, count, Calibration(data.calibration, calibration))
        return replace(opened, on_batch=lambda _: None)


def measure_and_write(
    directory: Path, runs: Sequence[StudyRun], test: TestSet, data: DataSet, *, front: int
) -> Comparison:
    """Measure the fronts on the test set, and write report, summary and the winner's model.

    Raises:
        PrimeSVTError: The studies cannot be compared, or the directory cannot be written.
    """
    with bar("test set: fronts") as progress:
        comparison = compare(runs, test, data.name, front=front, on_measured=progress.update)
    winner = comparison.winner
    if winner is None:
        # A model of an earlier run would pass for the winner of this one.
        shutil.rmtree(directory / MODEL, ignore_errors=True)
        (directory / PLAN).unlink(missing_ok=True)
    else:
        save_model(test.pruner.prune(winner.plan), directory / MODEL, overwrite=True)
        save_plan(winner.plan, directory / PLAN)
    write_text(directory / SUMMARY, json.dumps(summary(comparison), indent=1) + "\n")
    write_text(directory / REPORT, report_page(comparison))
    return comparison
