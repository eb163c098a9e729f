"""A training that a user runs: progress, a resume file per epoch, and a model directory with its log at the end."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from primesvt.models import (
    CPU,
    TRAINING,
    DataSet,
    Predictions,
    PrimeSVTError,
    Progress,
    Recipe,
    ResumeFile,
    TrainOptions,
    check_free,
    check_writable,
    config_of,
    device_model,
    model_folder,
    partial_file,
    predict,
    read_json,
    settle,
    train,
)
from primesvt.pruning import PruningPlan

from .best_epoch import BestEpoch
from .curves import curves
from .model_output import write_model
from .progress import bar, say

# So called since the first version, whose interrupted trainings go on.
RESUME_FILE = "checkpoint.pt"
BEST_FILE = "best.safetensors"
# The curve beside that of the accuracy on the fit images, which are augmented.
_SELECTION = "accuracy/selection"


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """A training that was asked for.

    Args:
        directory: Model directory to write; it holds the resume file until then.
        recipe: How to train.
        title: What the progress bar calls it.
        overwrite: Start anew where the resume file is of another training, instead of refusing.
        device: Where to train and measure.
        facts: More to write into the log.
        start: Accuracy of the model on the selection set before; where it is said, the best epoch is kept, or the model
            as it was where none is better.
        tensorboard: Directory for the curves of the training; none are written where it is None.
        plan: By which the model was pruned, written beside it; None where that is not known.
        options: The file of options with which the command does the same again, written beside the model.

    Raises:
        PrimeSVTError: The curves lie where the model will replace them.
    """

    directory: Path
    recipe: Recipe
    title: str
    overwrite: bool
    device: torch.device = CPU
    facts: Mapping[str, Any] = field(default_factory=dict)
    start: float | None = None
    tensorboard: Path | None = None
    plan: PruningPlan | None = None
    options: str = ""

    def __post_init__(self) -> None:
        check_apart(self.tensorboard, self.directory)

    @property
    def best_file(self) -> Path:
        """The weights of the best epoch so far, where they are kept."""
        return self.directory / BEST_FILE

    @property
    def resume_file(self) -> Path:
        """What an interrupted training goes on from."""
        return self.directory / RESUME_FILE


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


def check_apart(tensorboard: Path | None, directory: Path) -> None:
    """Refuse a directory for curves that lies where models are written and replaced.

    Raises:
        PrimeSVTError: It does.
    """
    if tensorboard is not None and directory.resolve() in (curve := tensorboard.resolve(), *curve.parents):
        raise PrimeSVTError(
            f"The curves in {tensorboard} would lie in {directory}, which the model replaces; choose another "
            "--tensorboard."
        )


def was_mirrored(*models: str | Path | None) -> bool:
    """Whether images were mirrored in the training of the first of these models whose directory says how it was.

    Mirrored digits and letters are others, so the answer is no where none says it.

    Args:
        models: Names of models, as a command line has them; None is passed over.

    Raises:
        PrimeSVTError: What a directory says cannot be read.
    """
    for model in (each for each in models if each is not None):
        with model_folder(model) as folder:
            log = folder / TRAINING
            if log.exists():
                recipe = read_json(log, f"Cannot read how {model} was trained: {{}}.").get("recipe")
                if not isinstance(recipe, dict) or "flip" not in recipe:
                    raise PrimeSVTError(f"{log} does not say how {model} was trained; pass --flip or --no-flip.")
                return bool(recipe["flip"])
    return False


def check_trainable(directory: Path, *, overwrite: bool) -> None:
    """Refuse an output directory with anything but an interrupted training, before the work begins.

    Raises:
        PrimeSVTError: It holds something else and ``overwrite`` is False.
    """
    if not _is_interrupted(directory):
        check_free(directory, overwrite=overwrite)


def _is_interrupted(directory: Path) -> bool:
    files = set(directory.iterdir()) if directory.is_dir() else set()
    own = [directory / name for name in (RESUME_FILE, BEST_FILE)]
    return bool(files) and files <= {*own, *map(partial_file, own)}


def run_training(job: TrainJob, model: nn.Module, data: DataSet, teacher: nn.Module | None = None) -> TrainRun:
    """Train a model and write it to a directory; an interrupted training goes on from its last epoch.

    Args:
        job: What is asked for.
        model: The model, changed in place.
        data: Its fit set is learnt, its selection set measured after every epoch.
        teacher: Model to learn from, too.

    Raises:
        PrimeSVTError: The data does not fit, the training diverged, or the directory cannot be written.
    """
    for images in (data.fit, data.selection):
        images.check(config_of(model))
    for place in (job.directory, *([job.tensorboard] if job.tensorboard is not None else [])):
        check_writable(place)
    try:
        log, selection = _train(job, model, data, teacher)
    except KeyboardInterrupt:
        kept = f"The epochs before are kept in {job.resume_file}; run" if job.resume_file.exists() else "Run"
        say(f"Stopped. {kept} the same command again to go on.")
        raise
    # A run that was interrupted after its last epoch has measured nothing now.
    selection = selection or predict(device_model(model, job.device), data.selection)
    record = {
        "data": data.name,
        "fit_images": len(data.fit),
        "recipe": asdict(job.recipe),
        **job.facts,
        "selection": selection.counted.told(),
        "log": log,
    }
    write_model(model, job.directory, overwrite=True, plan=job.plan, training=record, options=job.options)
    return TrainRun(log, selection, sum(entry["seconds"] for entry in log))


def _train(
    job: TrainJob, model: nn.Module, data: DataSet, teacher: nn.Module | None
) -> tuple[list[dict[str, Any]], Predictions | None]:
    """The log, and what the model answers in the end, where it was asked."""
    last: Predictions | None = None
    best = None if job.start is None else BestEpoch(job.best_file, job.start, model.state_dict())
    with bar(job.title) as progress, curves(job.tensorboard) as drawn:

        def measure(step: Progress, seconds: float) -> dict[str, Any]:
            nonlocal last
            last = predict(device_model(model, job.device), data.selection)
            if best is not None:
                best.consider(step.epoch + 1, last.accuracy, model)
            if step.epoch == 0 and job.start is not None:
                drawn.tell(0, {_SELECTION: job.start})
            drawn.tell(step.epoch + 1, {**_drawn(step), _SELECTION: last.accuracy})
            say(
                f"epoch {step.epoch + 1}: loss {step.loss:.4f}, selection accuracy {last.accuracy:.2%}, {seconds:.0f} s"
            )
            return {"selection_accuracy": round(last.accuracy, 6)}

        log = train(
            model,
            data.fit,
            job.recipe,
            teacher=teacher,
            options=TrainOptions(
                resume=_resume_file(job),
                device=job.device,
                on_step=lambda step: progress.training(step, job.recipe.epochs),
                on_epoch=measure,
            ),
        )
    if best is not None:
        best.restore(len(log), model)
        last = _settled(job, model, data)
        kept = "as it was: no epoch made it better" if best.epoch == 0 else f"as after epoch {best.epoch}"
        say(f"The model is kept {kept}.")
    return log, last


def _drawn(step: Progress) -> dict[str, float]:
    """The points of an epoch by the names of their curves; TensorBoard groups these by what is before the slash."""
    return {"loss/fit": step.loss, "accuracy/fit": step.accuracy, "learning_rate": step.rate}


def _resume_file(job: TrainJob) -> ResumeFile:
    return ResumeFile(
        job.resume_file,
        discard=job.overwrite,
        on_resume=lambda epoch: say(f"Going on from {job.resume_file}, after epoch {epoch}"),
    )


def _settled(job: TrainJob, model: nn.Module, data: DataSet) -> Predictions:
    """The answers of the kept model, with BatchNorm's statistics measured anew where that is better."""
    kept = predict(device_model(model, job.device), data.selection)
    if job.recipe.frozen_statistics:
        return kept
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    settle(model, data.fit, compensate=False)
    settled = predict(device_model(model, job.device), data.selection)
    if settled.accuracy > kept.accuracy:
        return settled
    model.load_state_dict(before)
    return kept
