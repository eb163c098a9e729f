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
# What is exported has one block a stage where it may: tracing takes as long as there are operations. Variants have two.
ISOTROPIC = {"embed_dim": 16, "depth": 2, "heads": 4, "pooling": "0011"}
HIERARCHICAL = {"embed_dim": 32, "depth": 4, "heads": 2}


class Variant(FamilyContract):
    """Another variant of a family that is tested whole already: tracing it for export once more takes long."""

    test_a_pruned_model_is_exported = None  # type: ignore[assignment]


class TestSpikeDrivenTransformer(FamilyContract):
    @pytest.fixture
    def config(self) -> ModelConfig:
        return SpikeDrivenTransformerConfig.uniform(**{**COMMON, **ISOTROPIC, "depth": 1})


class TestSpikeDrivenTransformerWithShortcut(Variant):
    @pytest.fixture
    def config(self) -> ModelConfig:
        sizes = {**COMMON, **ISOTROPIC, "mlp_ratio": 1.0}
        return SpikeDrivenTransformerConfig.uniform(**sizes, conv_bias=True)


class TestSpikformer(FamilyContract):
    @pytest.fixture
    def config(self) -> ModelConfig:
        sizes = {**COMMON, **ISOTROPIC, "depth": 1}
        return SpikformerConfig.uniform(**sizes, qkv_bias=True, linear_bias=True, spike_pooling=True)


class TestSpikformerOfSpikingJelly(Variant):
    @pytest.fixture
    def config(self) -> ModelConfig:
        return SpikformerConfig.uniform(**{**COMMON, **ISOTROPIC})


META: dict[str, Any] = {**COMMON, "image_size": (32, 32), "embed_dim": 16, "depth": 2, "heads": 2}


class TestMetaSpikeFormer(FamilyContract):
    @pytest.fixture
    def config(self) -> ModelConfig:
        return MetaSpikeFormerConfig.uniform(**META, distillation_head=True)


class TestMetaSpikeFormerWithOneHead(Variant):
    @pytest.fixture
    def config(self) -> ModelConfig:
        return MetaSpikeFormerConfig.uniform(**META, spiking_head=False)


class TestQKFormer(FamilyContract):
    @pytest.fixture
    def config(self) -> ModelConfig:
        sizes = {**COMMON, **HIERARCHICAL, "image_size": (16, 16)}
        return QKFormerConfig.uniform(**sizes, variant="imagenet", projection_bias=True)


class TestQKFormerVariants(Variant):
    @pytest.fixture(
        params=[
            # As many heads as the official code has; two channels for each in the first stage.
            {"variant": "cifar", "embed_dim": 64, "heads": 8, "projection_bias": True, "batch_coupling": True},
            {"variant": "imagenet", "embedding_bias": True, "attention": "channel", "image_size": (16, 16)},
        ],
        ids=["cifar", "channel"],
    )
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        return QKFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, **request.param})


class TestMaxFormer(FamilyContract):
    @pytest.fixture
    def config(self) -> ModelConfig:
        # As many heads as the zoo has for these widths.
        return MaxFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, "depth": 3, "heads": 8}, variant="cifar")


class TestMaxFormerVariants(Variant):
    @pytest.fixture(
        params=[
            {"variant": "imagenet", "image_size": (16, 16), "heads": 1},
            {"variant": "imagenet", "image_size": (16, 16), "embed_dim": 128, "heads": 2, "mlp_ratio": 1.0},
        ],
        ids=["imagenet", "shortcut"],
    )
    def config(self, request: pytest.FixtureRequest) -> ModelConfig:
        return MaxFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, **request.param})
