"""What training minimises: cross-entropy with the labels, and the distance from a teacher's answers.

Distillation: G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, arXiv:1503.02531.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from ..families.registry import config_of
from .recipe import Recipe


def loss_of(
    model: nn.Module, teacher: nn.Module | None, images: torch.Tensor, labels: torch.Tensor, recipe: Recipe
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of a batch, and the model's logits ``[N, classes]``.

    Args:
        model: The model.
        teacher: Whose answers are learnt, too, or None.
        images: The batch, normalised.
        labels: Classes ``[N]``.
        recipe: Weights of both.
    """
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


def check_teacher(teacher: nn.Module | None, config: ModelConfig, recipe: Recipe) -> None:
    """Refuse a teacher whose answers say nothing about this model's, or one without its weight.

    Raises:
        PrimeSVTError: Naming what differs.
    """
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
