"""The batches of an epoch, shuffled and augmented."""

from collections.abc import Iterator

import numpy as np
import torch

from ..data.augmentation import augment
from ..data.data_set import ImageSet
from ..families.config import ModelConfig
from .recipe import Recipe


def batches(
    images: ImageSet, config: ModelConfig, recipe: Recipe, epoch: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of an epoch: images, normalised and augmented, and labels ``[N]``; every image once.

    The random draws depend on the recipe's seed and the number of the epoch alone.
    """
    order = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
    shuffled = images.indices[torch.randperm(len(images), generator=order).numpy()]
    parts = np.split(shuffled, batch_starts(len(images), recipe.batch_size)[1:])
    with images.reader(config, parts) as read:
        for indices in parts:
            batch, labels = read(indices)
            yield augment(batch, order, flip=recipe.flip, shift=recipe.shift, erase=recipe.erase), labels


def batch_starts(count: int, batch_size: int) -> list[int]:
    """Where each batch starts; an image that is left over joins the last batch: BatchNorm needs two."""
    starts = list(range(0, count, batch_size))
    return starts[:-1] if len(starts) > 1 and batch_size > 1 and count - starts[-1] == 1 else starts
