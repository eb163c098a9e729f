"""What the tests of training share: a recipe, an untrained model, and a way to kill a training."""

from collections.abc import Callable

import torch
from torch import nn

from primesvt.models import Progress, Recipe, build

from ...conftest import small_config

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.01, shift=1, erase=0.3, seed=3)


def fresh(family: str = "spikformer", seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(small_config(family))


class KilledError(Exception):
    pass


def kill_at(epoch: int, step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise KilledError

    return on_step
