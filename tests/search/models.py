"""The smallest models and data on which a search makes sense, and a count of evaluations."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock

import numpy as np
import torch
from torch import nn

from primesvt.models import ArrayImages, DataSet, ImageSet, predict
from primesvt.models.data.data_set import split
from primesvt.pruning import PruningPlan
from primesvt.pruning.family_contract import lively_model
from primesvt.search import Counted, Evaluator
from primesvt.search.rejection import Rejection

from ..conftest import noisy_data, small_config


def tiny_model(family: str = "spike-driven-transformer", seed: int = 0) -> nn.Module:
    return lively_model(small_config(family, embed_dim=8, depth=1, heads=2), seed).float()


@cache
def told(count: int = 1200, wrong: float = 0.05) -> tuple[nn.Module, DataSet]:
    """A model, and images of which a third are for selection and of which it tells all but a few.

    Of its layers, attention stands 0.5, the output stands 0.25 just so, and the rest stands little. Shared by the
    tests, which change neither.
    """
    model, noise = tiny_model(), noisy_data(count * 3 // 2)
    source = noise.selection.source
    assert isinstance(source, ArrayImages)
    images = ImageSet("fit", source, noise.selection.labels, np.arange(count), noise.classes)
    with torch.no_grad():
        model.head.bias -= model(images.read(model.config, images.indices)[0]).mean(0)
    rng = np.random.default_rng(0)
    labels = (predict(model, images).classes + (rng.random(count) < wrong)) % len(noise.classes)
    return model, split("told", noise.classes, (source, labels), (source, labels))


@contextmanager
def counted() -> Iterator[list[PruningPlan]]:
    """Every plan that is really measured."""
    seen: list[PruningPlan] = []
    real = Evaluator.counted

    def count(self: Evaluator, plan: PruningPlan, rejection: Rejection | None = None) -> Counted:
        seen.append(plan)
        return real(self, plan, rejection)

    with mock.patch.object(Evaluator, "counted", count):
        yield seen
