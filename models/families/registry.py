"""The families by name: what a name in ``config.json`` means.

A family is its configuration class. Those of PrimeSVT are listed here; a package of anybody's adds one by an entry
point in the group ``primesvt.families``, whose value is the class.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ..errors import PrimeSVTError
from ..layers.channels import EMBEDDING, ChannelGroup
from ..plugins import loaded
from ..suggestion import unknown
from .config import ModelConfig
from .maxformer import MaxFormerConfig
from .meta_spikeformer import MetaSpikeFormerConfig
from .qkformer import QKFormerConfig
from .spike_driven_transformer import SpikeDrivenTransformerConfig
from .spikformer import SpikformerConfig

ENTRY_POINTS = "primesvt.families"
FAMILIES: Mapping[str, type[ModelConfig]] = MappingProxyType(
    {
        kind.family: kind
        for kind in (
            SpikeDrivenTransformerConfig,
            SpikformerConfig,
            MetaSpikeFormerConfig,
            QKFormerConfig,
            MaxFormerConfig,
        )
    }
)


def families() -> Mapping[str, type[ModelConfig]]:
    """Every family that is installed, by name: PrimeSVT's own, and those of other packages.

    Raises:
        PrimeSVTError: Another package's family cannot be imported, or is no configuration class.
    """
    known = dict(FAMILIES)
    for label, kind in loaded(ENTRY_POINTS, "family"):
        if not (isinstance(kind, type) and issubclass(kind, ModelConfig)):
            raise PrimeSVTError(f"{label} is no subclass of ModelConfig.")
        if not isinstance(getattr(kind, "family", None), str):
            raise PrimeSVTError(f"{label} has no name: its class attribute 'family'.")
        known.setdefault(kind.family, kind)
    return known


def config_type(family: str) -> type[Any]:
    """The configuration class of a family.

    Raises:
        PrimeSVTError: There is no such family.
    """
    # Other packages are looked through only for what is not here.
    known = FAMILIES if family in FAMILIES else families()
    if family not in known:
        raise unknown("family", family, known)
    return known[family]


def build(config: ModelConfig) -> nn.Module:
    """A model with random weights."""
    return config.build()


def assembled(config: ModelConfig, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """A model in training mode on tensors that are there: nothing is allocated, drawn or copied.

    Args:
        config: Of the model.
        state: All of its tensors, which it shares from now on.
    """
    with torch.device("meta"):
        model = build(config)
    model.load_state_dict(state, assign=True)
    return model


def named_config(name: str, **changes: Any) -> ModelConfig:
    """The configuration of a published size.

    Args:
        name: Such as ``spikformer-8-512``; see :func:`published_names`.
        changes: Fields that differ, such as ``classes`` or ``time_steps``, or arguments of the family's ``uniform``.

    Raises:
        PrimeSVTError: There is no such name, or a change makes no sense.
    """
    # Other packages are looked through only for what is not here.
    known = FAMILIES if name in published_names() else families()
    for kind in known.values():
        if name in kind.published:
            return kind.uniform(**{**kind.published[name], **changes})
    raise unknown("configuration", name, published_names())


def published_names() -> tuple[str, ...]:
    """Names of the published sizes of PrimeSVT's own families."""
    return tuple(name for kind in FAMILIES.values() for name in kind.published)


def independent(model: nn.Module) -> nn.Module:
    """The model, or, where the images of a batch meet in it, one of the same weights that answers each for itself.

    Raises:
        PrimeSVTError: It is a module of another kind.
    """
    config = config_of(model)
    alone = config.independent()
    if alone == config:
        return model
    return assembled(alone, model.state_dict()).train(model.training)


def config_of(model: nn.Module) -> ModelConfig:
    """The configuration of a model that :func:`build` made.

    Raises:
        PrimeSVTError: It is a module of another kind.
    """
    config = getattr(model, "config", None)
    if not isinstance(config, ModelConfig):
        raise PrimeSVTError(
            f"{type(model).__name__} is no model of PrimeSVT, which has its configuration as 'config'; convert a model "
            "of SpikingJelly first (primesvt.models.from_spikingjelly)."
        )
    return config


def channel_groups(model: nn.Module) -> tuple[ChannelGroup, ...]:
    """What the model's family declares of the channels that the model has."""
    return config_of(model).groups_left()


def streams(model: nn.Module) -> frozenset[str]:
    """Names of the model's residual streams."""
    return frozenset(group.name for group in channel_groups(model) if group.kind == EMBEDDING)
