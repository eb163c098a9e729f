"""Training a family on a data set, and fine-tuning a pruned model: one loop for both.

Backpropagation through time with the ATan surrogate gradient (W. Fang et al., ICCV 2021, arXiv:2007.05785), AdamW,
linear warm-up and a cosine, label smoothing, flips and shifts, and optionally distillation from a teacher (G. Hinton et
al., arXiv:1503.02531). Every epoch ends with a resume file; the random draws of an epoch depend on seed and epoch
alone, so a run that was killed goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ..data.data_set import ImageSet
from ..engine.device import CPU, placed, to_device
from ..errors import PrimeSVTError
from ..families.registry import config_of
from ..model_directory import fingerprint
from .batches import batch_starts, batches
from .loss import check_teacher, loss_of
from .recipe import Recipe, learning_rate
from .resume_file import ResumeFile


@dataclass(frozen=True)
class Progress:
    """Where a training is, after every step.

    Args:
        epoch: Epochs finished.
        step: Steps of this epoch done.
        steps: Steps of an epoch.
        loss: Mean loss of this epoch so far.
        accuracy: Accuracy on the (augmented) fit images of this epoch so far.
        rate: Learning rate of the last step.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    rate: float


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Where a training runs, and who is told; nothing of it is a part of the recipe.

    Args:
        resume: Written after every epoch; where it exists, training goes on from it.
        device: Where to compute; model and teacher are there until the end, and come back to the CPU then. On CUDA,
            sums are added in an order that may differ from run to run, and so may the last digits of a weight.
        on_step: Called after every step.
        on_epoch: Called after every epoch with its seconds; what it returns is added to the log.
    """

    resume: ResumeFile | None = None
    device: torch.device = CPU
    on_step: Callable[[Progress], None] = lambda _: None
    on_epoch: Callable[[Progress, float], dict[str, Any]] = lambda _progress, _seconds: {}


def train(
    model: nn.Module,
    images: ImageSet,
    recipe: Recipe,
    *,
    teacher: nn.Module | None = None,
    options: TrainOptions | None = None,
) -> list[dict[str, Any]]:
    """Train a model in place, and leave it in evaluation mode.

    Args:
        model: Any model of PrimeSVT.
        images: The fit set.
        recipe: How.
        teacher: Model whose answers are learnt too, with the weight ``recipe.distillation``.
        options: Where it runs, and who is told; the defaults where it is None.

    Returns:
        The log: one entry per epoch, also of those before an interruption.

    Raises:
        PrimeSVTError: The set is not for fitting, does not fit the model or its teacher, the training diverged, or the
            resume file cannot be written, is damaged, or is of another run.
    """
    options = options or TrainOptions()
    if images.role != "fit":
        raise PrimeSVTError(f"Training on the {images.role} set is refused: its accuracy would mean nothing.")
    config = config_of(model)
    images.check(config)
    check_teacher(teacher, config, recipe)
    run: dict[str, Any] = {"recipe": asdict(recipe), "initial model": fingerprint(model), "data": images.fingerprint}
    run["teacher"] = None if teacher is None else fingerprint(teacher)
    with placed(options.device, model, teacher):
        optimizer = optimizer_of(model, recipe)
        log = [] if options.resume is None else options.resume.load(run, model, optimizer)
        loop = _Loop(model, teacher, images, recipe, optimizer, options)
        for number in range(len(log), recipe.epochs):
            started = time.monotonic()
            progress = loop.epoch(number)
            seconds = time.monotonic() - started
            log.append({**_record(progress, seconds), **options.on_epoch(progress, seconds)})
            if options.resume is not None:
                options.resume.save(run, model, optimizer, log)
    model.eval()
    return log


def _record(progress: Progress, seconds: float) -> dict[str, Any]:
    return {
        "epoch": progress.epoch + 1,
        "loss": round(progress.loss, 4),
        "fit_accuracy": round(progress.accuracy, 4),
        "seconds": round(seconds, 1),
    }


@dataclass(frozen=True)
class _Loop:
    """What all epochs have in common."""

    model: nn.Module
    teacher: nn.Module | None
    images: ImageSet
    recipe: Recipe
    optimizer: torch.optim.Optimizer
    options: TrainOptions

    def epoch(self, number: int) -> Progress:
        """Learn every image once; the model is in evaluation mode then."""
        steps = len(batch_starts(len(self.images), self.recipe.batch_size))
        progress = Progress(number, 0, steps, 0.0, 0.0, 0.0)
        loss_sum, right, seen = 0.0, 0, 0
        self._begin()
        for step, (batch, labels) in enumerate(batches(self.images, config_of(self.model), self.recipe, number)):
            rate = learning_rate(self.recipe, number * steps + step, steps * self.recipe.epochs)
            loss, hits = self._step(batch, labels, rate, number)
            seen += len(labels)
            loss_sum += loss * len(labels)
            right += hits
            progress = Progress(number, step + 1, steps, loss_sum / seen, right / seen, rate)
            self.options.on_step(progress)
        self.model.eval()
        if not all(tensor.isfinite().all() for tensor in self.model.state_dict().values()):
            raise self._diverged(number, "weights are NaN or infinite")
        return progress

    def _begin(self) -> None:
        self.model.train()
        if self.recipe.frozen_statistics:
            for module in self.model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def _step(self, images: torch.Tensor, labels: torch.Tensor, rate: float, epoch: int) -> tuple[float, int]:
        """One step of the optimiser; returns the loss, and how many images were told right."""
        images, labels = to_device(images, self.options.device), to_device(labels, self.options.device)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, logits = loss_of(self.model, self.teacher, images, labels, self.recipe)
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(epoch, f"the loss is {value}")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return value, int((logits.argmax(1) == labels).sum())

    def _diverged(self, epoch: int, how: str) -> PrimeSVTError:
        rate = self.recipe.learning_rate
        return PrimeSVTError(f"Training diverged in epoch {epoch + 1}: {how}. Lower the learning rate ({rate}).")


def optimizer_of(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, whose weight decay spares biases and BatchNorm."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        fused=True,
    )
