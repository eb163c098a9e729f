"""Every family, in every variant, keeps the contract."""

from typing import Any

import pytest

from primesvt.models import (
    MaxFormerConfig,
    MetaSpikeFormerConfig,
    ModelConfig,
    QKFormerConfig,
    SpikeDrivenTransformerConfig,
    SpikformerConfig,
)
from primesvt.pruning.family_contract import FamilyContract

COMMON: dict[str, Any] = {
    "in_channels": 2,
    "image_size": (8, 8),
    "classes": ("a", "b", "c"),
    "mean": (0.5, 0.4),
    "std": (0.5, 0.2),
    "time_steps": 2,
    "mlp_ratio": 2.0,
    # A few tokens and channels per head add up to little: the published threshold would silence attention.
    "attention_threshold": 0.05,
}
ISOTROPIC = {"embed_dim": 16, "depth": 2, "heads": 4, "pooling": "0011"}
HIERARCHICAL = {"embed_dim": 32, "depth": 4, "heads": 2}


class TestSpikeDrivenTransformer(FamilyContract):
    @pytest.fixture(params=[{}, {"conv_bias": True, "mlp_ratio": 1.0}], ids=["official", "shortcut"])
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        return SpikeDrivenTransformerConfig.uniform(**{**COMMON, **ISOTROPIC, **request.param})


class TestSpikformer(FamilyContract):
    @pytest.fixture(
        params=[{}, {"qkv_bias": True, "linear_bias": True, "spike_pooling": True}], ids=["spikingjelly", "official"]
    )
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        return SpikformerConfig.uniform(**{**COMMON, **ISOTROPIC, **request.param})


class TestMetaSpikeFormer(FamilyContract):
    @pytest.fixture(params=[False, True], ids=["one head", "two heads"])
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        sizes = {**COMMON, "image_size": (32, 32), "embed_dim": 16, "depth": 2, "heads": 2}
        return MetaSpikeFormerConfig.uniform(**sizes, distillation_head=request.param)


class TestQKFormer(FamilyContract):
    @pytest.fixture(
        params=[
            {"variant": "cifar", "embed_dim": 64, "heads": 8, "projection_bias": True, "batch_coupling": True},
            {"variant": "imagenet", "projection_bias": True, "image_size": (16, 16)},
            {"variant": "imagenet", "embedding_bias": True, "attention": "channel", "image_size": (16, 16)},
        ],
        ids=["cifar", "imagenet", "channel"],
    )
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        return QKFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, **request.param})


class TestMaxFormer(FamilyContract):
    @pytest.fixture(
        params=[
            # As many heads as the zoo has for these widths.
            {"variant": "cifar", "heads": 8},
            {"variant": "imagenet", "image_size": (16, 16), "heads": 1},
            {"variant": "imagenet", "image_size": (16, 16), "embed_dim": 128, "heads": 2, "mlp_ratio": 1.0},
        ],
        ids=["cifar", "imagenet", "shortcut"],
    )
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        return MaxFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, **request.param})
