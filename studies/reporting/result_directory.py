"""The directory that a comparison leaves: report, summary, and the chosen plan with its model."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from primesvt.models import PLAN, Backend, DataSet, PrimeSVTError
from primesvt.pruning import MOST_CALIBRATION, Calibration, Pruner, save_plan

from ..running.model_output import OPTIONS_FILE, write_model
from ..running.progress import bar
from ..running.study_run import StudyRun
from .comparison import Comparison
from .make_comparison import compare
from .on_test_set import TestSet
from .output_file import write_text
from .provenance import Provenance
from .report import FINETUNED, report_page
from .summary import summary
from .trials import trials_csv

REPORT = "report.html"
SUMMARY = "summary.json"
TRIALS = "trials.csv"
MODEL = "model"
STORAGE = "studies.db"
_MARKER = ".primesvt"


def prepare(directory: Path, options: str = "") -> None:
    """Make and mark the output directory; what a comparison writes replaces what an earlier one wrote there.

    Args:
        directory: The directory.
        options: The file with which the command can be run again, which is there also where the run is interrupted;
            those of an earlier run stay until :func:`save_options`, as this one may be refused.

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
    if options and not (directory / OPTIONS_FILE).exists():
        save_options(directory, options)


def save_options(directory: Path, options: str) -> None:
    """Write the file of options beside the results that were made with them, once there are any.

    Args:
        directory: A directory that :func:`prepare` made.
        options: The file with which the command can be run again.

    Raises:
        PrimeSVTError: The directory cannot be written.
    """
    write_text(directory / OPTIONS_FILE, options)


def finetuned_in(directory: Path) -> Path:
    """Where fine-tuned models lie in the output directory, by the names of their studies."""
    return directory / FINETUNED


def take_finetuned(directory: Path, other: Path | None) -> None:
    """Let a directory have the fine-tuned models of another one, or none: those of an earlier run would pass for them.

    Args:
        directory: A directory that :func:`prepare` made.
        other: One that has them, or None.

    Raises:
        PrimeSVTError: They cannot be written.
    """
    place = finetuned_in(directory)
    if other is not None and other.resolve() == directory.resolve():
        return
    try:
        if place.exists():
            shutil.rmtree(place)
        if other is not None:
            shutil.copytree(finetuned_in(other), place)
    except (OSError, shutil.Error) as error:
        raise PrimeSVTError(f"Cannot write {place}: {error}.") from error


def storage_in(directory: Path) -> str:
    """URL of the storage inside the output directory."""
    return f"sqlite:///{directory / STORAGE}"


def open_test_set(model: nn.Module, data: DataSet, backend: Backend | None = None) -> TestSet:
    """The test set with the unpruned model's answers on it.

    What is reported is repaired with all calibration images: a search, which repairs every plan, is content with fewer.

    Args:
        model: The unpruned model.
        data: The data set.
        backend: Where plans are measured and repaired; by the engine where it is None.
    """
    with bar("test set: unpruned model") as progress:
        count = progress.counting(len(data.test))
        # Studies that need calibration images have been refused already where there are none.
        calibration = Calibration(data.calibration, MOST_CALIBRATION) if len(data.calibration) else None
        opened = TestSet.open(model, data.test, count, calibration, backend)
        return replace(opened, on_batch=lambda _: None)


def compared(
    runs: Sequence[StudyRun], test: TestSet, data: DataSet, *, front: int, latency: bool = False
) -> Comparison:
    """Measure the studies' fronts on the test set, with a progress bar.

    Raises:
        PrimeSVTError: The studies cannot be compared.
    """
    with bar("test set: fronts") as progress:
        return compare(runs, test, data.name, front=front, latency=latency, on_measured=progress.update)


def write(
    directory: Path,
    comparison: Comparison,
    pruner: Pruner,
    runs: Sequence[StudyRun],
    provenance: Provenance | None = None,
) -> None:
    """Write report, summary, every trial, and plan and model of the winner.

    Args:
        directory: A directory that :func:`prepare` made.
        comparison: What was measured.
        pruner: The way from its plans to models.
        runs: The studies that were compared.
        provenance: Where it comes from.

    Raises:
        PrimeSVTError: The directory cannot be written.
    """
    winner = comparison.winner
    if winner is None:
        # A model of an earlier run would pass for the winner of this one.
        shutil.rmtree(directory / MODEL, ignore_errors=True)
        (directory / PLAN).unlink(missing_ok=True)
    else:
        write_model(pruner.prune(winner.plan), directory / MODEL, overwrite=True, plan=winner.plan)
        save_plan(winner.plan, directory / PLAN)
    write_text(directory / SUMMARY, json.dumps(summary(comparison, provenance), indent=1) + "\n")
    write_text(directory / TRIALS, trials_csv(runs))
    write_text(directory / REPORT, report_page(comparison, provenance))
