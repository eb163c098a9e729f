"""How to train: numbers, their ranges, and the schedule of the learning rate."""

import math
from dataclasses import dataclass

from ..engine.device import Precision
from ..families.config import MAX_NUMBER, MAX_WIDTH
from ..options import check_options, option


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


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """Linear warm-up, then half a cosine down to zero (I. Loshchilov, F. Hutter, arXiv:1608.03983)."""
    warm = max(1, round(recipe.warm_up * total))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
