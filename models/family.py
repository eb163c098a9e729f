"""The families by name: what a name in ``config.json`` means."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from .channels import ChannelGroup
from .config import ModelConfig
from .errors import PrimeSVTError
from .spike_driven_transformer import SpikeDrivenTransformer, SpikeDrivenTransformerConfig
from .spikformer import Spikformer, SpikformerConfig

FAMILIES: Mapping[str, tuple[type[ModelConfig], type[nn.Module]]] = {
    SpikeDrivenTransformerConfig.family: (SpikeDrivenTransformerConfig, SpikeDrivenTransformer),
    SpikformerConfig.family: (SpikformerConfig, Spikformer),
}


class SpikingVisionTransformer(Protocol):
    """What PrimeSVT asks of a model: a module with its configuration."""

    config: ModelConfig

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""


def config_type(family: str) -> type[Any]:
    """The configuration class of a family.

    Raises:
        PrimeSVTError: There is no such family.
    """
    if family not in FAMILIES:
        raise PrimeSVTError(f"Unknown family {family!r}; known are {', '.join(FAMILIES)}.")
    return FAMILIES[family][0]


def build(config: ModelConfig) -> nn.Module:
    """A model with random weights."""
    return FAMILIES[config.family][1](config)


def config_of(model: nn.Module) -> ModelConfig:
    """The configuration of a model that :func:`build` made.

    Raises:
        PrimeSVTError: It is a module of another kind.
    """
    config = getattr(model, "config", None)
    if not isinstance(config, ModelConfig):
        raise PrimeSVTError(
            f"{type(model).__name__} is no model of PrimeSVT; convert it first (primesvt.models.from_spikingjelly)."
        )
    return config


def channel_groups(model: nn.Module) -> tuple[ChannelGroup, ...]:
    """What the model's family declares of its channels."""
    return config_of(model).groups()
