"""What tests of the engine share: pruned versions of a model, and a count of the images that are read."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from primesvt.models import config_of
from primesvt.pruning import PruningPlan, kept_channels, remove, version_of

MakeModel = Callable[..., nn.Module]


def version(model: nn.Module, ratios: dict[str, float]) -> tuple[nn.Module, Callable[[str], bytes]]:
    kept = kept_channels(model, PruningPlan(ratios))
    return remove(model, kept), version_of(config_of(model), kept)


def layers_of(model: nn.Module) -> list[str]:
    """In the order of the forward pass."""
    return [group.name for group in config_of(model).groups() if group.kind != "embedding"]


class Counting:
    """Reads images, and counts them."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.read = images, 0

    def __call__(self, indices: np.ndarray) -> torch.Tensor:
        self.read += len(indices)
        return self.images[torch.from_numpy(indices)]
