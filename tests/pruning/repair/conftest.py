"""What the tests of repair share: small models of every family with random images, and how channels are removed."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from primesvt.models import (
    ChannelGroup,
    ImageSet,
    MaxFormerConfig,
    MetaSpikeFormerConfig,
    ModelConfig,
    QKFormerConfig,
    SpikeDrivenTransformerConfig,
    SpikformerConfig,
    channel_groups,
    config_of,
)
from primesvt.pruning import Calibration, Kept, Reference
from primesvt.pruning.family_contract import lively_model

from ..test_family_contract import COMMON, HIERARCHICAL, ISOTROPIC, META

VARIANTS: dict[str, ModelConfig] = {
    "spike-driven-transformer": SpikeDrivenTransformerConfig.uniform(**{**COMMON, **ISOTROPIC}),
    "spike-driven-transformer-shortcut": SpikeDrivenTransformerConfig.uniform(
        **{**COMMON, **ISOTROPIC, "mlp_ratio": 1.0}, conv_bias=True
    ),
    "spikformer": SpikformerConfig.uniform(
        **{**COMMON, **ISOTROPIC}, qkv_bias=True, linear_bias=True, spike_pooling=True
    ),
    "spikformer-spikingjelly": SpikformerConfig.uniform(**{**COMMON, **ISOTROPIC}),
    "meta-spikeformer": MetaSpikeFormerConfig.uniform(**META, distillation_head=True),
    "meta-spikeformer-one-head": MetaSpikeFormerConfig.uniform(**META, spiking_head=False),
    "qkformer": QKFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, "image_size": (16, 16)}, variant="imagenet"),
    "qkformer-cifar": QKFormerConfig.uniform(
        **{**COMMON, **HIERARCHICAL, "embed_dim": 64, "heads": 8}, variant="cifar", batch_coupling=True
    ),
    "qkformer-channel": QKFormerConfig.uniform(
        **{**COMMON, **HIERARCHICAL, "image_size": (16, 16)}, embedding_bias=True, attention="channel"
    ),
    "maxformer-cifar": MaxFormerConfig.uniform(**{**COMMON, **HIERARCHICAL, "heads": 8}, variant="cifar"),
    "maxformer": MaxFormerConfig.uniform(
        **{**COMMON, **HIERARCHICAL, "image_size": (16, 16), "heads": 1}, variant="imagenet"
    ),
    "maxformer-shortcut": MaxFormerConfig.uniform(
        **{**COMMON, **HIERARCHICAL, "image_size": (16, 16), "embed_dim": 128, "mlp_ratio": 1.0}, variant="imagenet"
    ),
}


@dataclass(frozen=True)
class RandomImages:
    """Noise, as a source of images, or of event sequences where there are time steps."""

    config: ModelConfig
    count: int
    steps: int | None = None

    @property
    def frame(self) -> tuple[int, int, int]:
        return (self.config.in_channels, *self.config.image_size)

    def __len__(self) -> int:
        return self.count

    def read(self, indices: np.ndarray) -> torch.Tensor:
        leading = () if self.steps is None else (self.steps,)
        frames = [
            torch.randn(*leading, *self.frame, generator=torch.Generator().manual_seed(int(i))) * 0.5 + 0.5
            for i in indices
        ]
        return torch.stack(frames, -4)

    def digest(self) -> str:
        return f"noise of {self.frame}, {self.steps}"


def calibration_of(config: ModelConfig, count: int = 48, steps: int | None = None) -> Calibration:
    """Noise that fits a model."""
    classes = np.arange(count) % len(config.classes)
    source = RandomImages(config, count, steps)
    return Calibration(ImageSet("calibration", source, classes, np.arange(count), config.classes), count)


@cache
def reference_of(variant: str, count: int = 48) -> Reference:
    """A small model with lively neurons in float64, and noise; shared by the tests, which change neither."""
    return Reference(lively_model(VARIANTS[variant].independent()), calibration_of(VARIANTS[variant], count))


def everything(model: nn.Module) -> dict[str, torch.Tensor]:
    """All channels of a model."""
    return {name: torch.arange(width) for name, width in config_of(model).widths.items()}


def inner_layers(model: nn.Module) -> list[ChannelGroup]:
    """Layers whose channels are read one by one by convolutions: another one can stand in for a removed copy."""
    return [group for group in channel_groups(model) if group.filters and group.readers and group.stream is None]


def half(kept: Kept, groups: list[ChannelGroup]) -> dict[str, torch.Tensor]:
    """The first half of the channels, of every head, of some layers."""
    chosen = dict(kept)
    for group in groups:
        rows = kept[group.name].view(group.heads, -1)
        chosen[group.name] = rows[:, : max(1, rows.shape[1] // 2)].flatten()
    return chosen


def entries(model: nn.Module, groups: list[ChannelGroup]) -> dict[str, Any]:
    """The tensors of the filters of some layers."""
    state = model.state_dict()
    return {name: t for name, t in state.items() for g in groups if name.rpartition(".")[0] in g.filters and t.ndim}
