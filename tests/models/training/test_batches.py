"""Every image is in one batch of an epoch, and no batch is too small."""

import numpy as np
import torch

from primesvt.models import DataSet, build, train
from primesvt.models.training.batches import batches

from ...conftest import noisy_data, replace, small_config
from .trainings import RECIPE


def test_one_image_left_over_joins_the_last_batch() -> None:
    """With one time step and one token a batch of one image would be too few numbers for BatchNorm."""
    config = replace(small_config("spikformer"), time_steps=1, pooling="1111")
    images = noisy_data(360).fit.first(33)
    seen: list[int] = []
    recipe = replace(RECIPE, epochs=1)
    model = build(config)
    model.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    train(model, images, recipe)
    assert seen == [16, 17]


def test_every_image_is_seen_once_an_epoch(data: DataSet) -> None:
    seen = list(batches(data.fit, small_config("spikformer"), replace(RECIPE, batch_size=7), 2))
    truth = torch.cat([labels for _, labels in seen])
    assert len(truth) == len(data.fit)
    assert torch.bincount(truth).tolist() == np.bincount(data.fit.labels[data.fit.indices]).tolist()
    other = list(batches(data.fit, small_config("spikformer"), replace(RECIPE, batch_size=7), 3))
    assert not torch.equal(truth, torch.cat([labels for _, labels in other]))
