"""Masking, against a model whose weights say the same."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from primesvt.models import channel_groups
from primesvt.pruning import PruningPlan, kept_channels
from primesvt.pruning.masking import masked_logits


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_what_is_masked_is_read_by_nobody(make_model: Callable[..., nn.Module], images: torch.Tensor) -> None:
    model = make_model()
    hidden = next(group for group in channel_groups(model) if group.kind == "mlp")
    kept = kept_channels(model, PruningPlan({hidden.name: 0.5}))
    masked = masked_logits(model, kept, images)
    with torch.no_grad():
        assert not torch.equal(masked, model(images))
        gone = torch.ones(dict(model.named_modules())[hidden.readers[0]].weight.shape[1], dtype=torch.bool)
        gone[kept[hidden.name]] = False
        for reader in hidden.readers:
            dict(model.named_modules())[reader].weight[:, gone] = 0
        torch.testing.assert_close(masked, model(images))


def test_nothing_is_left_behind(make_model: Callable[..., nn.Module], images: torch.Tensor) -> None:
    model = make_model()
    with torch.no_grad():
        before = model(images)
        assert torch.equal(masked_logits(model, kept_channels(model, PruningPlan()), images), before)
        masked_logits(model, kept_channels(model, PruningPlan({channel_groups(model)[0].name: 0.5})), images)
        assert torch.equal(model(images), before)
