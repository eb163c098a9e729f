"""Training a family on a data set, and fine-tuning a pruned model: one loop for both.

Backpropagation through time with the ATan surrogate gradient (W. Fang et al., ICCV 2021, arXiv:2007.05785), AdamW,
linear warm-up and a cosine, label smoothing, flips and shifts, and optionally distillation from a teacher (G. Hinton et
al., arXiv:1503.02531). Every epoch ends with a checkpoint; the random draws of an epoch depend on seed and epoch alone,
so a run that was killed goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..checkpoints.model_directory import fingerprint
from ..data.augmentation import augment
from ..data.data_set import ImageSet
from ..engine.device import CPU, Precision, placed, to_device
from ..errors import PrimeSVTError
from ..families.config import MAX_NUMBER, MAX_WIDTH, ModelConfig
from ..families.registry import config_of
from ..options import check_options, option
from .state import load_state, save_state


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    With frozen statistics, BatchNorm keeps the mean and variance it has in training, too: a model that is good already
    is then changed by the gradient alone. The precision is that of training; the model is stored and measured in
    float32.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    epochs: int = option(20, help="passes over the fit set", metavar="E", least=1, most=MAX_NUMBER)
    batch_size: int = option(64, help="images per step", metavar="N", least=1, most=MAX_NUMBER)
    learning_rate: float = option(6e-3, help="peak of the schedule", metavar="RATE", above=0)
    weight_decay: float = option(
        0.02, help="of AdamW, on weights with two or more dimensions", metavar="W", least=0, most=MAX_NUMBER
    )
    warm_up: float = option(
        0.05, help="fraction of all steps over which the learning rate rises linearly", least=0, most=1
    )
    label_smoothing: float = option(
        0.05, help="share of the target that is spread over all classes", metavar="S", least=0, most=1
    )
    flip: bool = option(True, help="do not mirror images at random")
    shift: int = option(
        2, help="move images by up to this many pixels in each direction", metavar="PIXELS", least=0, most=MAX_WIDTH
    )
    erase: float = option(
        0.0, help="probability that a random rectangle of an image is blanked", metavar="P", least=0, most=1
    )
    distillation: float = option(
        0.0, help="weight of the teacher's answers against the labels, where there is one", metavar="W", least=0, most=1
    )
    temperature: float = option(2.0, help="softness of the teacher's answers", above=0)
    frozen_statistics: bool = option(
        False,
        help="let BatchNorm's mean and variance follow the fit images instead of staying as they are",
        flag="update-norm",
        sets=False,
    )
    precision: Precision = option("float32", help="arithmetic of the convolutions in training")
    seed: int = option(0, help="of every random draw", metavar="K", least=0, most=2**32 - 1)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Progress:
    """Where a training is, after every step.

    Args:
        epoch: Epochs finished.
        step: Steps of this epoch done.
        steps: Steps of an epoch.
        loss: Mean loss of this epoch so far.
        accuracy: Accuracy on the (augmented) fit images of this epoch so far.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float


def train(
    model: nn.Module,
    images: ImageSet,
    recipe: Recipe,
    *,
    teacher: nn.Module | None = None,
    checkpoint: Path | None = None,
    discard: bool = False,
    device: torch.device = CPU,
    on_resume: Callable[[int], None] = lambda _: None,
    on_step: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[Progress, float], dict[str, Any]] = lambda _progress, _seconds: {},
) -> list[dict[str, Any]]:
    """Train a model in place, and leave it in evaluation mode.

    Args:
        model: Any model of PrimeSVT.
        images: The fit set.
        recipe: How.
        teacher: Model whose answers are learnt too, with the weight ``recipe.distillation``.
        checkpoint: File written after every epoch; where it exists, training goes on from it.
        discard: Start anew where the checkpoint is damaged or of another training, instead of refusing.
        device: Where to compute; model and teacher are there until the end, and come back to the CPU then. On CUDA,
            sums are added in an order that may differ from run to run, and so may the last digits of a weight.
        on_resume: Called with the number of epochs done before, where training goes on.
        on_step: Called after every step.
        on_epoch: Called after every epoch with its seconds; what it returns is added to the log.

    Returns:
        The log: one entry per epoch, also of those before an interruption.

    Raises:
        PrimeSVTError: The set is not for fitting, does not fit the model or its teacher, the training diverged, or the
            checkpoint cannot be written, is damaged, or is of another run.
    """
    if images.role != "fit":
        raise PrimeSVTError(f"Training on the {images.role} set is refused: its accuracy would mean nothing.")
    config = config_of(model)
    images.check(config)
    _check_teacher(teacher, config, recipe)
    steps = len(_starts(len(images), recipe.batch_size))
    run: dict[str, Any] = {"recipe": asdict(recipe), "initial model": fingerprint(model), "data": images.fingerprint}
    run["teacher"] = None if teacher is None else fingerprint(teacher)
    with placed(device, model, teacher):
        optimizer = _optimizer(model, recipe)
        log = [] if checkpoint is None else load_state(checkpoint, run, model, optimizer, discard=discard)
        if log:
            on_resume(len(log))
        for epoch in range(len(log), recipe.epochs):
            started = time.monotonic()
            _begin_training(model, recipe)
            progress = Progress(epoch, 0, steps, 0.0, 0.0)
            loss_sum, right, seen = 0.0, 0, 0
            for step, read in enumerate(_epoch(images, config, recipe, epoch)):
                batch, labels = (to_device(tensor, device) for tensor in read)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(recipe, epoch * steps + step, steps * recipe.epochs)
                loss, logits = _loss(model, teacher, batch, labels, recipe)
                if not math.isfinite(loss.item()):
                    raise _diverged(epoch, recipe, f"the loss is {loss.item()}")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                seen += len(labels)
                loss_sum += loss.item() * len(labels)
                right += int((logits.argmax(1) == labels).sum())
                progress = Progress(epoch, step + 1, steps, loss_sum / seen, right / seen)
                on_step(progress)
            seconds = time.monotonic() - started
            model.eval()
            if not all(tensor.isfinite().all() for tensor in model.state_dict().values()):
                raise _diverged(epoch, recipe, "weights are NaN or infinite")
            log.append(
                {
                    "epoch": epoch + 1,
                    "loss": round(progress.loss, 4),
                    "fit_accuracy": round(progress.accuracy, 4),
                    "seconds": round(seconds, 1),
                    **on_epoch(progress, seconds),
                }
            )
            if checkpoint is not None:
                save_state(checkpoint, run, model, optimizer, log)
    model.eval()
    return log


def _begin_training(model: nn.Module, recipe: Recipe) -> None:
    model.train()
    if recipe.frozen_statistics:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """Linear warm-up, then half a cosine down to zero (I. Loshchilov, F. Hutter, arXiv:1608.03983)."""
    warm = max(1, round(recipe.warm_up * total))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _diverged(epoch: int, recipe: Recipe, how: str) -> PrimeSVTError:
    return PrimeSVTError(
        f"Training diverged in epoch {epoch + 1}: {how}. Lower the learning rate ({recipe.learning_rate})."
    )


def _check_teacher(teacher: nn.Module | None, config: ModelConfig, recipe: Recipe) -> None:
    if (teacher is None) != (recipe.distillation == 0):
        raise PrimeSVTError(
            f"distillation is {recipe.distillation} {'without' if teacher is None else 'with'} a teacher: pass both, "
            "a teacher and a distillation above 0, or none."
        )
    if teacher is None:
        return
    other = config_of(teacher)
    for name in ("in_channels", "image_size", "classes", "mean", "std"):
        if getattr(other, name) != getattr(config, name):
            raise PrimeSVTError(
                f"The teacher cannot teach this model: its {name} is {str(getattr(other, name))[:60]}, "
                f"the model's {str(getattr(config, name))[:60]}."
            )
    if teacher.training:
        raise PrimeSVTError("The teacher is in training mode, in which it would change: call teacher.eval() first.")


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        fused=True,
    )


def _loss(
    model: nn.Module, teacher: nn.Module | None, images: torch.Tensor, labels: torch.Tensor, recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        logits = model(images)
    logits = logits.float()
    loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    if teacher is None or recipe.distillation == 0:
        return loss, logits
    with torch.inference_mode():
        answers = teacher(images)
    t = recipe.temperature
    soft = F.kl_div(F.log_softmax(logits / t, 1), F.log_softmax(answers / t, 1), log_target=True, reduction="batchmean")
    return (1 - recipe.distillation) * loss + recipe.distillation * t * t * soft, logits


def _epoch(
    images: ImageSet, config: ModelConfig, recipe: Recipe, epoch: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
    shuffled = images.indices[torch.randperm(len(images), generator=order).numpy()]
    starts = _starts(len(images), recipe.batch_size)
    for start, stop in zip(starts, [*starts[1:], len(images)], strict=True):
        indices: np.ndarray = shuffled[start:stop]
        batch, labels = images.read(config, indices)
        yield augment(batch, order, flip=recipe.flip, shift=recipe.shift, erase=recipe.erase), labels


def _starts(count: int, batch_size: int) -> list[int]:
    """Where each batch starts; an image that is left over joins the last batch: BatchNorm needs two."""
    starts = list(range(0, count, batch_size))
    return starts[:-1] if len(starts) > 1 and batch_size > 1 and count - starts[-1] == 1 else starts
