"""A training that a user runs: progress, a checkpoint per epoch, and a model directory with its log at the end."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from primesvt.models import (
    CPU,
    DataSet,
    Predictions,
    Progress,
    Recipe,
    check_free,
    check_writable,
    device_model,
    partial_file,
    predict,
    save_into,
    train,
    write_directory,
)

from .progress import bar, say

CHECKPOINT = "checkpoint.pt"
LOG = "training.json"


@dataclass(frozen=True)
class TrainRun:
    """A finished training.

    Args:
        log: One entry per epoch.
        selection: What the model answers on the selection set.
        seconds: Time of all epochs, also of those before an interruption.
    """

    log: list[dict[str, Any]]
    selection: Predictions
    seconds: float


def check_trainable(directory: Path, *, overwrite: bool) -> None:
    """Refuse an output directory with anything but an interrupted training, before the work begins.

    Raises:
        PrimeSVTError: It holds something else and ``overwrite`` is False.
    """
    if not _is_interrupted(directory):
        check_free(directory, overwrite=overwrite)


def _is_interrupted(directory: Path) -> bool:
    files = set(directory.iterdir()) if directory.is_dir() else set()
    checkpoint = directory / CHECKPOINT
    return bool(files) and files <= {checkpoint, partial_file(checkpoint)}


def run_training(
    directory: Path,
    model: nn.Module,
    data: DataSet,
    recipe: Recipe,
    *,
    title: str,
    overwrite: bool,
    teacher: nn.Module | None = None,
    facts: dict[str, Any] | None = None,
    device: torch.device = CPU,
) -> TrainRun:
    """Train a model and write it to a directory; an interrupted training goes on from its last epoch.

    Args:
        directory: Model directory to write; it holds the checkpoint until then.
        model: The model, changed in place.
        data: Its fit set is learnt, its selection set measured after every epoch.
        recipe: How to train.
        title: What the progress bar calls it.
        overwrite: Start anew where the checkpoint is of another training, instead of refusing.
        teacher: Model to learn from, too.
        facts: More to write into the log.
        device: Where to train and measure.

    Raises:
        PrimeSVTError: The data does not fit, the training diverged, or the directory cannot be written.
    """
    checkpoint = directory / CHECKPOINT
    check_writable(directory)
    last: list[Predictions] = []
    with bar(title) as progress:

        def measure(step: Progress, seconds: float) -> dict[str, Any]:
            last[:] = [predict(device_model(model, device), data.selection)]
            accuracy = last[0].accuracy
            say(f"epoch {step.epoch + 1}: loss {step.loss:.4f}, selection accuracy {accuracy:.2%}, {seconds:.0f} s")
            return {"selection_accuracy": round(accuracy, 6)}

        try:
            log = train(
                model,
                data.fit,
                recipe,
                teacher=teacher,
                checkpoint=checkpoint,
                discard=overwrite,
                device=device,
                on_resume=lambda epoch: say(f"Going on from {checkpoint}, after epoch {epoch}"),
                on_step=lambda step: progress.training(step, recipe.epochs),
                on_epoch=measure,
            )
        except KeyboardInterrupt:
            kept = f"The epochs before are kept in {checkpoint}; run" if checkpoint.exists() else "Run"
            say(f"Stopped. {kept} the same command again to go on.")
            raise
    # A run that was interrupted after its last epoch has measured nothing now.
    selection = last[0] if last else predict(device_model(model, device), data.selection)
    record = {
        "data": data.name,
        "fit_images": len(data.fit),
        "recipe": asdict(recipe),
        **(facts or {}),
        "selection": accuracy_record(selection),
        "log": log,
    }
    with write_directory(directory, overwrite=True) as new:
        save_into(model, new)
        (new / LOG).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return TrainRun(log, selection, sum(entry["seconds"] for entry in log))


def accuracy_record(predictions: Predictions) -> dict[str, Any]:
    """Accuracy, number of images and interval, as plain data."""
    return {
        "accuracy": predictions.accuracy,
        "images": len(predictions.labels),
        "interval": list(predictions.interval),
    }
