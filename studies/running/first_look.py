"""A first look at a model that was imported: whether it tells more than chance, which a wrong guess shows as."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from primesvt.models import Accuracy, DataSet, ImageSet, config_of, predict

from .progress import bar

# Enough to tell any model of a thousand classes that works from chance.
_IMAGES = 1_000


@dataclass(frozen=True)
class FirstLook:
    """What a model told, and what chance does.

    Args:
        images: The images.
        counted: How many of them it told right.
    """

    images: ImageSet
    counted: Accuracy

    @property
    def chance(self) -> float:
        """Accuracy of the answer that is always the commonest class of these images."""
        labels = self.images.labels[self.images.indices]
        return float(np.bincount(labels).max() / len(labels))

    @property
    def better(self) -> bool:
        """Whether the whole 95 % interval of the accuracy is above chance."""
        return self.counted.interval[0] > self.chance

    def told(self) -> dict[str, Any]:
        """Plain data."""
        return {"role": self.images.role, **self.counted.told(), "chance": self.chance, "better": self.better}

    def __str__(self) -> str:
        low, high = self.counted.interval
        return (
            f"accuracy {self.counted.accuracy:.2%} on {self.counted.images:,} {self.images.role} images "
            f"(95 % interval {low:.2%} to {high:.2%})"
        )


def looked_at(data: DataSet) -> ImageSet:
    """The first selection images, or test images of a data set that has no others.

    Who tries settings out until one of them works should not do so on the test set.
    """
    return (data.selection if len(data.selection) else data.test).first(_IMAGES)


def first_look(model: nn.Module, images: ImageSet) -> FirstLook:
    """Ask a model for some images.

    Raises:
        PrimeSVTError: They do not fit the model.
    """
    images.check(config_of(model))
    with bar("check") as progress:
        return FirstLook(images, predict(model, images, on_batch=progress.counting(len(images))).counted)
