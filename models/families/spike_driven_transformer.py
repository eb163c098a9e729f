"""Spike-driven Transformer (version 1), with free internal widths.

M. Yao et al., *Spike-driven Transformer*, NeurIPS 2023, arXiv:2307.01694. Reference code:
BICLab/Spike-Driven-Transformer, and ``spikingjelly.activation_based.model.SpikeDrivenTransformer``, whose logits this
model equals.

Deviations from both:

* Every internal width is free: attention may be narrower than the embedding, a layer that writes into the residual
  stream may write only some of its channels.
* A static image goes through the first convolution once instead of T times: the result is the same T times.

Its attention multiplies query, key and value element by element, so a channel meets no other channel: query, key,
value and the projection's input share channels, and heads do not matter. Shortcuts add membrane potentials.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import nn

from ..layers.channels import ChannelGroup, conv_bn, residual_branch, writer
from ..layers.conv import ConvBN, MaxPool, frame_mean
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .isotropic import IsotropicConfig, hidden_width, stem_groups, stem_widths
from .layout import Checkpoint, Layout, Rename, conv_bn_renames
from .membrane_block import MembraneBlock, membrane_mlp_groups, membrane_mlp_readers
from .published_data import CIFAR10, IMAGENET
from .resizing import timm_rule


def _groups(depth: int, mlp_shortcut: bool) -> tuple[ChannelGroup, ...]:
    groups, stream_readers = stem_groups(), []
    for b in range(depth):
        block = f"blocks.{b}"
        qkv = (f"{block}.query", f"{block}.key", f"{block}.value")
        attention = ChannelGroup(
            name=f"{block}.attention",
            kind="attention",
            filters=conv_bn(*qkv),
            readers=(f"{block}.projection.conv",),
        )
        groups += residual_branch(f"{block}.mixer", [attention, writer(f"{block}.projection", "projection")])
        groups += membrane_mlp_groups(block, shortcut=mlp_shortcut)
        stream_readers += [f"{prefix}.conv" for prefix in qkv] + membrane_mlp_readers(block, shortcut=mlp_shortcut)
    groups.append(ChannelGroup(name="embedding", kind="embedding", filters=(), readers=(*stream_readers, "head")))
    return tuple(groups)


def _structure(weights: Checkpoint) -> tuple[dict[str, Any], tuple[ChannelGroup, ...]]:
    hidden, embed_dim = weights.shape("blocks.0.hidden.conv.weight")[:2]
    fields: dict[str, Any] = {
        "depth": weights.count("blocks.{b}.query.conv.weight"),
        "conv_bias": weights.has("stem.0.conv.bias"),
        "mlp_shortcut": hidden == embed_dim,
    }
    return fields, _groups(fields["depth"], fields["mlp_shortcut"])


def _renames(stem: list[tuple[str, str, str]], block: str, mlp: tuple[str, str]) -> tuple[Rename, ...]:
    """Both code bases: ``mlp`` names an MLP layer's convolution and BatchNorm, with ``#`` for its number."""
    renames = [Rename("head", "head", 2), *conv_bn_renames("position", "patch_embed.rpe_conv", "patch_embed.rpe_bn")]
    for name, conv, bn in stem:
        renames += conv_bn_renames(name, f"patch_embed.{conv}", f"patch_embed.{bn}")
    for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("projection", "proj")):
        name = f"{block}.{{b}}.attn.{theirs}"
        renames += conv_bn_renames(f"blocks.{{b}}.{ours}", f"{name}_conv", f"{name}_bn")
    for ours, number in (("hidden", "1"), ("output", "2")):
        conv, bn = (f"{block}.{{b}}.mlp.{name.replace('#', number)}" for name in mlp)
        renames += conv_bn_renames(f"blocks.{{b}}.{ours}", conv, bn)
    return tuple(renames)


def _talking_heads(config: "SpikeDrivenTransformerConfig") -> dict[str, torch.Tensor]:
    shape = (config.heads, config.heads, 1)
    return {f"block.{b}.attn.talking_heads.weight": torch.zeros(shape) for b in range(config.depth)}


def _heads(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    talking = state.get("block.0.attn.talking_heads.weight")
    return {} if talking is None else {"heads": (talking.shape[0],)}


def _note(config: "SpikeDrivenTransformerConfig") -> str | None:
    return _EVENTS if config.in_channels == _POLARITIES else None


# Channels of an event camera's frames.
_POLARITIES = 2
_EVENTS = (
    "Were these weights trained with dvs_mode, as the official code has it for event data? Its attention then pools "
    "over neighbouring channels. PrimeSVT has no such attention: the imported model would be another one."
)
_OFFICIAL_STEM = [(f"stem.{i}", f"proj_conv{digit}", f"proj_bn{digit}") for i, digit in enumerate(("", "1", "2", "3"))]
_ZOO_STEM = [(f"stem.{i}", f"stages.{i}.0", f"stages.{i}.1") for i in range(3)] + [
    ("stem.3", "final_stage.0", "final_stage.1")
]


@dataclass(frozen=True, kw_only=True)
class SpikeDrivenTransformerConfig(IsotropicConfig):
    """Configuration of a :class:`SpikeDrivenTransformer`.

    Args:
        conv_bias: Whether the stem's convolutions have a bias (SpikingJelly's have; the official code's have not).
        mlp_shortcut: Whether a shortcut also spans the first MLP layer, as in published models whose hidden width
            equals the embedding width. That layer then writes into the stream.
    """

    family: ClassVar[str] = "spike-driven-transformer"
    # Parameters of the paper (tables 2 and 5): 10.28, 16.81, 29.68, 66.34 million; conf/ of the repository.
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "sdt-2-512": {"embed_dim": 512, "depth": 2, "heads": 8, "pooling": "0011", **CIFAR10},
            "sdt-8-384": {"embed_dim": 384, "depth": 8, "heads": 8, **IMAGENET},
            "sdt-8-512": {"embed_dim": 512, "depth": 8, "heads": 8, **IMAGENET},
            "sdt-8-768": {"embed_dim": 768, "depth": 8, "heads": 8, **IMAGENET},
        }
    )
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            source="BICLab/Spike-Driven-Transformer, model/spikeformer.py",
            renames=_renames(_OFFICIAL_STEM, "block", ("fc#_conv", "fc#_bn")),
            structure=_structure,
            # Attention is element by element: their number changes nothing.
            rules={"heads": 8, "conv_bias": False},
            told=_heads,
            # crop_pct of conf/cifar10 and conf/imagenet.
            resizing=timm_rule(0.95),
            assumed={"dvs_mode": False},
            note=_note,
            unused=((r"block\.\d+\.attn\.talking_heads\.weight", "a convolution that the forward pass never calls"),),
            fill=_talking_heads,
        ),
        Layout(
            source="spikingjelly.activation_based.model.SpikeDrivenTransformer",
            renames=_renames(_ZOO_STEM, "blocks", ("fc#", "bn#")),
            structure=_structure,
            rules={"heads": 8, "conv_bias": True},
        ),
    )

    derived: ClassVar[tuple[str, ...]] = ("mlp_shortcut",)

    conv_bias: bool = False
    mlp_shortcut: bool = False

    @classmethod
    def uniform(cls, *, embed_dim: int, depth: int, mlp_ratio: float = 4.0, **common: Any) -> Self:
        """An unpruned model: widths follow from the embedding width, as in the paper."""
        widths = stem_widths(embed_dim)
        for b in range(depth):
            widths[f"blocks.{b}.attention"] = embed_dim
            widths[f"blocks.{b}.projection"] = embed_dim
            widths[f"blocks.{b}.hidden"] = hidden_width(embed_dim, mlp_ratio)
            widths[f"blocks.{b}.output"] = embed_dim
        shortcut = hidden_width(embed_dim, mlp_ratio) == embed_dim
        return cls(depth=depth, widths=widths, mlp_shortcut=shortcut, **common)

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Prunable layers, in the order of the forward pass; ``embedding`` is last."""
        return _groups(self.depth, self.mlp_shortcut)

    def build(self) -> "SpikeDrivenTransformer":
        """A model with random weights."""
        return SpikeDrivenTransformer(self)


class Block(MembraneBlock):
    """Spike-driven self-attention and MLP, each with a membrane shortcut (sections 3.2 and 3.3 of the paper)."""

    def __init__(self, config: SpikeDrivenTransformerConfig, b: int, lif: LIFNode) -> None:
        super().__init__(config.widths, f"blocks.{b}", lif=lif, shortcut=config.mlp_shortcut)
        stream = config.widths["embedding"]
        attention, projection = (config.widths[f"blocks.{b}.{name}"] for name in ("attention", "projection"))
        if self.mixes:
            self.query = ConvBN(stream, attention)
            self.key = ConvBN(stream, attention)
            self.value = ConvBN(stream, attention)
            self.projection = ConvBN(attention, projection, bias=True)
            self.projection_index = StreamIndex(projection, stream)
        self.attention_lif = LIFNode(tau=config.tau, v_threshold=config.attention_threshold)

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """Attention with its shortcut."""
        spikes = self.lif(x)
        query, key, value = (self.lif(layer(spikes)) for layer in (self.query, self.key, self.value))
        # Summed over the tokens: [T, N, C, 1, 1], one mask per channel.
        mask = self.attention_lif((key * value).sum(dim=(-2, -1), keepdim=True))
        return self.projection_index.add(x, self.projection(query * mask))


class SpikeDrivenTransformer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: SpikeDrivenTransformerConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        channels = [config.in_channels, *(widths[f"stem.{i}"] for i in range(4))]
        self.stem = nn.ModuleList(ConvBN(channels[i], channels[i + 1], 3, bias=config.conv_bias) for i in range(4))
        self.stem_index = StreamIndex(widths["stem.3"], widths["embedding"])
        self.position = ConvBN(widths["stem.3"], widths["position"], 3)
        self.position_index = StreamIndex(widths["position"], widths["embedding"])
        self.pools = nn.ModuleList(MaxPool() if digit == "1" else nn.Identity() for digit in config.pooling)
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.blocks = nn.ModuleList(Block(config, b, self.lif) for b in range(config.depth))
        self.head = nn.Linear(widths["embedding"], len(config.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of static images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""
        static = images.ndim == 4
        steps = self.config.time_steps if static else images.shape[0]
        x = self.stem[0](images.unsqueeze(0) if static else images)
        x = self.pools[0](self.lif(x, steps))
        for i in (1, 2):
            x = self.pools[i](self.lif(self.stem[i](x)))
        x = self.pools[3](self.stem[3](x))
        position = self.position(self.lif(x))
        x = self.position_index.add(self.stem_index.scatter(x), position)
        for block in self.blocks:
            x = block(x)
        rate = self.lif(frame_mean(x, training=self.training)).mean(0)
        logits: torch.Tensor = self.head(rate)
        return logits
