"""What the registry of families knows; what every family keeps to is in tests/pruning/test_family_contract.py."""

import pytest
import torch
from torch import nn

from primesvt.models import (
    FAMILIES,
    PrimeSVTError,
    SpikformerConfig,
    build,
    channel_groups,
    config_type,
)

from ..conftest import small_config


def test_every_stage_may_pool(family: str) -> None:
    for pooling in ("0000", "1000", "1111"):
        config = small_config(family)
        config = type(config).from_json({**config.to_json(), "pooling": pooling, "image_size": [5, 9]})
        assert build(config)(torch.randn(2, 1, 5, 9)).shape == (2, 3)


def test_unknown_families_and_foreign_modules_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match=r"Unknown family 'vgg'; known are spike-driven-transformer, spikformer"):
        config_type("vgg")
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        channel_groups(nn.Linear(1, 1))
    assert FAMILIES["spikformer"] is SpikformerConfig
