"""Spikformer, with free internal widths.

Z. Zhou et al., *Spikformer: When Spiking Neural Network Meets Transformer*, ICLR 2023, arXiv:2209.15425. Reference
code: ZK-Zhou/spikformer, whose logits this model equals, and ``spikingjelly.activation_based.model.Spikformer``, whose
logits (averaged over the time steps, as its training does) it equals, too. The two differ in where the stem pools: the
official code pools spikes, SpikingJelly pools what the neurons then integrate.

Deviations from both:

* Every internal width is free: query and key may be narrower than the value, both narrower than the embedding, and a
  layer that writes into the residual stream may write only some of its channels.
* A static image goes through the first convolution once instead of T times: the result is the same T times.
* Tokens keep their two dimensions, and every linear layer is a 1x1 convolution.

Its blocks are :class:`~primesvt.models.families.spiking_block.SpikingBlock`. Shortcuts add spikes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import nn

from ..layers.channels import ChannelGroup
from ..layers.conv import ConvBN, MaxPool, frame_mean
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .config import check_above
from .isotropic import IsotropicConfig, hidden_width, stem_groups, stem_widths
from .layout import Checkpoint, Layout, Rename, conv_bn_renames, fused_renames
from .published_data import CIFAR10, IMAGENET
from .resizing import timm_rule
from .spiking_block import SpikingBlock, spiking_block_groups


def _groups(depth: int, heads: int) -> tuple[ChannelGroup, ...]:
    groups, stream_readers = stem_groups(), []
    for b in range(depth):
        block, readers = spiking_block_groups(f"blocks.{b}", heads)
        groups += block
        stream_readers += readers
    groups.append(ChannelGroup(name="embedding", kind="embedding", filters=(), readers=(*stream_readers, "head")))
    return tuple(groups)


def _structure(weights: Checkpoint) -> tuple[dict[str, Any], tuple[ChannelGroup, ...]]:
    fields: dict[str, Any] = {
        "depth": weights.count("blocks.{b}.query.conv.weight"),
        "qkv_bias": weights.has("blocks.0.query.conv.bias"),
        "linear_bias": weights.has("blocks.0.projection.conv.bias"),
    }
    # Heads are not in the shapes, and do not matter to the names of the groups.
    return fields, _groups(fields["depth"], 1)


def _renames(linear: tuple[str, str], qkv_ndim: int, mlp_ndim: int) -> tuple[Rename, ...]:
    """The official names: ``linear`` ends those of the layers, in attention and in the MLP."""
    attention, mlp = linear
    renames = [Rename("head", "head", 2), *conv_bn_renames("position", "patch_embed.rpe_conv", "patch_embed.rpe_bn")]
    for i, digit in enumerate(("", "1", "2", "3")):
        renames += conv_bn_renames(f"stem.{i}", f"patch_embed.proj_conv{digit}", f"patch_embed.proj_bn{digit}")
    for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("projection", "proj")):
        name = f"block.{{b}}.attn.{theirs}"
        renames += conv_bn_renames(f"blocks.{{b}}.{ours}", f"{name}_{attention}", f"{name}_bn", qkv_ndim)
    for ours, theirs in (("hidden", "fc1"), ("output", "fc2")):
        name = f"block.{{b}}.mlp.{theirs}"
        renames += conv_bn_renames(f"blocks.{{b}}.{ours}", f"{name}_{mlp}", f"{name}_bn", mlp_ndim)
    return tuple(renames)


def _norms(config: "SpikformerConfig") -> dict[str, torch.Tensor]:
    width, names = config.widths["embedding"], [f"block.{b}.norm{n}" for b in range(config.depth) for n in (1, 2)]
    return {f"{name}.weight": torch.ones(width) for name in names} | {
        f"{name}.bias": torch.zeros(width) for name in names
    }


_UNUSED = ((r"block\.\d+\.norm[12]\.(weight|bias)", "a LayerNorm that the official forward pass never calls"),)


def _zoo_renames() -> tuple[Rename, ...]:
    stages = [(f"stem.{i}", f"patch_embed.stages.{i}") for i in range(4)]
    renames = [Rename("head", "head", 2)]
    for ours, theirs in [*stages, ("position", "patch_embed.positional_encoding")]:
        renames += conv_bn_renames(ours, f"{theirs}.conv_bn.block.0", f"{theirs}.conv_bn.block.1")
    qkv = "blocks.{b}.attn.qkv_conv_bn"
    renames += fused_renames("blocks.{b}", ("query", "key", "value"), f"{qkv}.0", f"{qkv}.1")
    for ours, theirs in (("projection", "attn.proj_conv_bn"), ("hidden", "mlp.fc1"), ("output", "mlp.fc2")):
        renames += conv_bn_renames(f"blocks.{{b}}.{ours}", f"blocks.{{b}}.{theirs}.0", f"blocks.{{b}}.{theirs}.1", 3)
    return tuple(renames)


_IMAGENET = {**IMAGENET, "linear_bias": True, "spike_pooling": True}
_CIFAR = {**CIFAR10, "pooling": "0011", "qkv_bias": True, "linear_bias": True, "spike_pooling": True}


@dataclass(frozen=True, kw_only=True)
class SpikformerConfig(IsotropicConfig):
    """Configuration of a :class:`Spikformer`.

    Args:
        attention_scale: Factor of the attention product; the published models have 0.125, whatever the head's width.
        qkv_bias: Whether query, key and value have a bias (the official CIFAR code).
        linear_bias: Whether projection and MLP have one (the official code; SpikingJelly's has not).
        spike_pooling: Whether the stem pools spikes (the official code) or the input of the neurons (SpikingJelly).
    """

    family: ClassVar[str] = "spikformer"
    # Parameters of the paper (tables 1 and 2): 9.32, 16.81, 29.68, 66.34 million, with the unused LayerNorms. Heads:
    # cifar10/cifar10.yml and imagenet/model.py; the other two have 64 channels per head, which is what 0.125 scales.
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "spikformer-4-384": {"embed_dim": 384, "depth": 4, "heads": 12, **_CIFAR},
            "spikformer-8-384": {"embed_dim": 384, "depth": 8, "heads": 6, **_IMAGENET},
            "spikformer-8-512": {"embed_dim": 512, "depth": 8, "heads": 8, **_IMAGENET},
            "spikformer-8-768": {"embed_dim": 768, "depth": 8, "heads": 12, **_IMAGENET},
        }
    )
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            source="ZK-Zhou/spikformer, cifar10/model.py",
            renames=_renames(("linear", "linear"), 2, 2),
            structure=_structure,
            rules={"pooling": "0011", "spike_pooling": True, "qkv_bias": True, "linear_bias": True},
            # crop_pct of cifar10/cifar10.yml and imagenet/imagenet.yml.
            resizing=timm_rule(1.0),
            unused=_UNUSED,
            fill=_norms,
        ),
        Layout(
            source="ZK-Zhou/spikformer, imagenet/model.py",
            renames=_renames(("conv", "conv"), 3, 4),
            structure=_structure,
            rules={"pooling": "1111", "time_steps": 4, "spike_pooling": True, "qkv_bias": False, "linear_bias": True},
            resizing=timm_rule(1.0),
            unused=_UNUSED,
            fill=_norms,
        ),
        Layout(
            source="spikingjelly.activation_based.model.Spikformer",
            renames=_zoo_renames(),
            structure=_structure,
            rules={"spike_pooling": False, "qkv_bias": False, "linear_bias": False},
        ),
    )

    attention_scale: float = 0.125
    qkv_bias: bool = False
    linear_bias: bool = False
    spike_pooling: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above("attention_scale", self.attention_scale, 0)

    @classmethod
    def uniform(cls, *, embed_dim: int, depth: int, mlp_ratio: float = 4.0, **common: Any) -> Self:
        """An unpruned model: widths follow from the embedding width, as in the paper."""
        widths = stem_widths(embed_dim)
        for b in range(depth):
            for layer in ("query_key", "value", "projection", "output"):
                widths[f"blocks.{b}.{layer}"] = embed_dim
            widths[f"blocks.{b}.hidden"] = hidden_width(embed_dim, mlp_ratio)
        return cls(depth=depth, widths=widths, **common)

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Prunable layers, in the order of the forward pass; ``embedding`` is last."""
        return _groups(self.depth, self.heads)

    def build(self) -> "Spikformer":
        """A model with random weights."""
        return Spikformer(self)


class Spikformer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: SpikformerConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        channels = [config.in_channels, *(widths[f"stem.{i}"] for i in range(4))]
        self.stem = nn.ModuleList(ConvBN(channels[i], channels[i + 1], 3) for i in range(4))
        self.stem_index = StreamIndex(widths["stem.3"], widths["embedding"])
        self.position = ConvBN(widths["stem.3"], widths["position"], 3)
        self.position_index = StreamIndex(widths["position"], widths["embedding"])
        self.pools = nn.ModuleList(MaxPool() if digit == "1" else nn.Identity() for digit in config.pooling)
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.blocks = nn.ModuleList(
            SpikingBlock(
                widths,
                f"blocks.{b}",
                heads=config.heads,
                scale=config.attention_scale,
                lif=self.lif,
                attention_lif=LIFNode(tau=config.tau, v_threshold=config.attention_threshold),
                qkv_bias=config.qkv_bias,
                projection_bias=config.linear_bias,
                mlp_bias=config.linear_bias,
            )
            for b in range(config.depth)
        )
        self.head = nn.Linear(widths["embedding"], len(config.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of static images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""
        static = images.ndim == 4
        steps = self.config.time_steps if static else images.shape[0]
        x = images.unsqueeze(0) if static else images
        for stage, pool in zip(self.stem, self.pools, strict=True):
            x = stage(x) if self.config.spike_pooling else pool(stage(x))
            x = self.lif(x, steps)
            x = pool(x) if self.config.spike_pooling else x
        position = self.lif(self.position(x))
        x = self.position_index.add(self.stem_index.scatter(x), position)
        for block in self.blocks:
            x = block(x)
        logits: torch.Tensor = self.head(frame_mean(x, training=self.training))
        return logits.mean(0)
