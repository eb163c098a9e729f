"""Max-Former, with free internal widths.

Y. Fang et al., *Spiking Neural Networks Need High-Frequency Information*, NeurIPS 2025, arXiv:2505.18608. Reference
code: ``spikingjelly.activation_based.model.MaxFormer``, whose logits this model equals; it follows bic-L/MaxFormer.

Three stages. Each begins with a patch embedding, a chain of convolutions beside a shortcut, which are added and so
both write the stage's stream. The first two stages mix tokens by depth-wise convolutions (the CIFAR variant's first one
not at all), the last one by Spikformer's attention. The ImageNet variant's attention reads membrane potentials and adds
spikes; everywhere else shortcuts add membrane potentials.

Deviations from the reference:

* Every internal width is free, and a layer that writes into a residual stream may write only some of its channels. A
  depth-wise convolution reads just those that it writes.
* A static image goes through the first convolution once instead of T times: the result is the same T times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from ..layers.channels import ChannelGroup, residual_branch, writer
from ..layers.conv import ConvBN, MaxPool, frame_mean
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .config import check_above
from .hierarchical import BlockGroups, stream_name
from .layout import Checkpoint, Layout, Rename, conv_bn_renames, fused_renames
from .membrane_block import MembraneBlock, membrane_mlp_groups, membrane_mlp_readers
from .patch_embedding import LAST, PatchEmbeddingConfig, patch_embedding_chain, zoo_patch_embedding
from .published_data import CIFAR100, IMAGENET
from .spiking_block import SelfAttention, attention_groups

# Kernel of the depth-wise convolutions of the first two stages; None where there are none.
_KERNELS: Mapping[str, tuple[int | None, ...]] = MappingProxyType({"imagenet": (7, 5), "cifar": (None, 3)})


def _mixer_groups(prefix: str, s: int, variant: str, heads: int) -> BlockGroups:
    stream, branch = stream_name(s), f"{prefix}.mixer"
    if s < LAST:
        # What a depth-wise convolution reads goes with what it writes, so it is no reader of its own.
        mixer = [] if _KERNELS[variant][s] is None else [writer(f"{prefix}.depthwise", "convolution", stream=stream)]
        return residual_branch(branch, mixer), []
    groups = [*attention_groups(prefix, heads), writer(f"{prefix}.projection", "projection", stream=stream)]
    return residual_branch(branch, groups), [f"{prefix}.{name}.conv" for name in ("query", "key", "value")]


def _structure_of(variant: str) -> Any:
    def structure(weights: Checkpoint) -> tuple[dict[str, Any], tuple[ChannelGroup, ...]]:
        hidden, embed_dim = weights.shape("stages.2.blocks.0.hidden.conv.weight")[:2]
        fields: dict[str, Any] = {
            "depths": tuple(weights.count(f"stages.{s}.blocks.{{b}}.hidden.conv.weight") for s in range(3)),
            "variant": variant,
            "mlp_shortcut": hidden == embed_dim,
        }
        return fields, MaxFormerConfig.declared({**fields, "heads": (1,)})

    return structure


def _heads_of(variant: str) -> Any:
    """The number of heads, for which the zoo has no argument: eight, or one for every 64 channels."""

    def heads(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        width = state["head.weight"].shape[-1] if "head.weight" in state else 0
        return {"heads": (8 if variant == "cifar" else max(1, width // 64),)}

    return heads


def _zoo(variant: str) -> tuple[Rename, ...]:
    cifar = variant == "cifar"
    renames = [Rename("head", "head", 2)]
    if cifar:
        renames += conv_bn_renames("stages.0.first", "patch_embed1.conv", "patch_embed1.bn")
        for ours, theirs in (("second", "branch"), ("shortcut", "shortcut")):
            renames += conv_bn_renames(f"stages.0.{ours}", f"patch_embed1.{theirs}.1", f"patch_embed1.{theirs}.2")
    for s in range(1 if cifar else 0, 3):
        renames += zoo_patch_embedding(s, variant)
    for s in range(3):
        ours, block = f"stages.{s}.blocks.{{b}}", f"stage{s + 1}.{{b}}"
        if s < LAST and _KERNELS[variant][s] is not None:
            renames += conv_bn_renames(f"{ours}.depthwise", f"{block}.dwconv", f"{block}.bn")
        mlp = block if cifar and s == 0 else f"{block}.mlp"
        for number, name in ((1, "hidden"), (2, "output")):
            renames += conv_bn_renames(f"{ours}.{name}", f"{mlp}.fc{number}", f"{mlp}.bn{number}")
    ours, attention = f"stages.{LAST}.blocks.{{b}}", f"stage{LAST + 1}.{{b}}.attn"
    ending = "" if cifar else "_conv_bn"
    qkv = f"{attention}.qkv{ending}"
    renames += fused_renames(ours, ("query", "key", "value"), f"{qkv}.0", f"{qkv}.1")
    projection = f"{attention}.proj{ending}"
    renames += conv_bn_renames(f"{ours}.projection", f"{projection}.0", f"{projection}.1", 3)
    return tuple(renames)


_IMAGENET = {**IMAGENET, "depth": 10, "variant": "imagenet"}


@dataclass(frozen=True, kw_only=True)
class MaxFormerConfig(PatchEmbeddingConfig):
    """Configuration of a :class:`MaxFormer`.

    Args:
        attention_scale: Factor of the attention product, 0.125 whatever the head's width.
        mlp_shortcut: Whether a shortcut also spans the first MLP layer, as where the hidden width equals the stage's.
    """

    family: ClassVar[str] = "maxformer"
    stages_with_heads: ClassVar[int] = 1
    # Parameters of the paper (tables 2 and 4): 6.57, 16.23, 28.65, 63.99 million.
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "maxformer-4-384": {"embed_dim": 384, "depth": 4, "heads": 8, "variant": "cifar", **CIFAR100},
            "maxformer-10-384": {"embed_dim": 384, "heads": 6, **_IMAGENET},
            "maxformer-10-512": {"embed_dim": 512, "heads": 8, **_IMAGENET},
            "maxformer-10-768": {"embed_dim": 768, "heads": 12, **_IMAGENET},
        }
    )
    layouts: ClassVar[tuple[Layout, ...]] = tuple(
        Layout(
            source=f"spikingjelly.activation_based.model.MaxFormer, cifar={variant == 'cifar'}",
            renames=_zoo(variant),
            structure=_structure_of(variant),
            told=_heads_of(variant),
        )
        for variant in _KERNELS
    )

    derived: ClassVar[tuple[str, ...]] = ("depths", "mlp_shortcut")

    attention_scale: float = 0.125
    mlp_shortcut: bool = False

    def __post_init__(self) -> None:
        check_above("attention_scale", self.attention_scale, 0)
        super().__post_init__()

    @classmethod
    def block_groups(cls, prefix: str, s: int, said: Mapping[str, Any]) -> BlockGroups:
        """Depth-wise convolution or attention, and the MLP."""
        mixer, readers = _mixer_groups(prefix, s, said["variant"], said["heads"][0])
        shortcut = said["mlp_shortcut"]
        mlp = membrane_mlp_groups(prefix, stream=stream_name(s), shortcut=shortcut)
        return [*mixer, *mlp], [*readers, *membrane_mlp_readers(prefix, shortcut=shortcut)]

    @classmethod
    def derived_fields(cls, embed_dim: int, hidden: int) -> dict[str, Any]:
        """Where the hidden layer is as wide as the stage, it has a shortcut."""
        return {"mlp_shortcut": hidden == embed_dim}

    def build(self) -> "MaxFormer":
        """A model with random weights."""
        return MaxFormer(self)


class ConvolutionBlock(MembraneBlock):
    """Depth-wise convolution, if there is one, and MLP, each with a membrane shortcut."""

    def __init__(self, config: MaxFormerConfig, s: int, b: int, lif: LIFNode) -> None:
        prefix, stream, kernel = f"stages.{s}.blocks.{b}", stream_name(s), _KERNELS[config.variant][s]
        super().__init__(config.widths, prefix, stream=stream, lif=lif, shortcut=config.mlp_shortcut, mixer="depthwise")
        if kernel is not None and self.mixes:
            width = config.widths[f"{prefix}.depthwise"]
            self.depthwise = ConvBN(width, width, kernel, bias=True, depthwise=True)
            self.depthwise_index = StreamIndex(width, config.widths[stream])

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """The convolution with its shortcut."""
        return self.depthwise_index.add(x, self.depthwise(self.lif(self.depthwise_index.gather(x))))


class AttentionBlock(MembraneBlock):
    """Spiking self-attention and MLP."""

    def __init__(self, config: MaxFormerConfig, b: int, lif: LIFNode) -> None:
        prefix, stream, widths = f"stages.{LAST}.blocks.{b}", stream_name(LAST), config.widths
        super().__init__(widths, prefix, stream=stream, lif=lif, shortcut=config.mlp_shortcut)
        query_key, value, projection = (widths[f"{prefix}.{name}"] for name in ("query_key", "value", "projection"))
        self.membrane = config.variant == "cifar"
        if self.mixes:
            self.query = ConvBN(widths[stream], query_key)
            self.key = ConvBN(widths[stream], query_key)
            self.value = ConvBN(widths[stream], value)
            self.projection = ConvBN(value, projection, bias=self.membrane)
            self.projection_index = StreamIndex(projection, widths[stream])
            self.self_attention = SelfAttention(config.heads[0])
        self.scale = config.attention_scale
        self.attention_lif = LIFNode(tau=config.tau, v_threshold=config.attention_threshold)

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """Attention with its shortcut."""
        read = self.lif(x) if self.membrane else x
        query, key, value = (self.lif(layer(read)) for layer in (self.query, self.key, self.value))
        attended = self.attention_lif(self.self_attention(query, key, value) * self.scale)
        written = self.projection(attended)
        return self.projection_index.add(x, written if self.membrane else self.lif(written))


class Stage(nn.Module):
    """A patch embedding that begins a stream, and the blocks that read and write it."""

    def __init__(self, config: MaxFormerConfig, s: int, lif: LIFNode) -> None:
        super().__init__()
        widths, width = config.widths, config.widths[stream_name(s)]
        imagenet = config.variant == "imagenet"
        # The ImageNet variant's first stage halves the image by strides, the later stages of both by pooling.
        stride = 2 if s == 0 and imagenet else 1
        *chain, last = patch_embedding_chain(s, config.variant)
        read = widths[stream_name(s - 1)] if s else config.in_channels
        branched = read if s else widths["stages.0.first"]
        for name in (*chain, last):
            written = widths[f"stages.{s}.{name}"]
            self.add_module(name, ConvBN(read, written, 3, stride=1 if name == last else stride, bias=imagenet))
            read = written
        self.register_module(f"{last}_index", StreamIndex(read, width))
        # The first stage's shortcut begins behind its first convolution: there is nothing to add an image to.
        shortcut = widths[f"stages.{s}.shortcut"]
        self.shortcut = ConvBN(branched, shortcut, stride=stride, bias=imagenet)
        self.shortcut_index = StreamIndex(shortcut, width)
        self.chain = chain if s else chain[1:]
        self.last = last
        self.pool = MaxPool() if s else nn.Identity()
        self.lif = lif
        self.blocks = nn.ModuleList(
            AttentionBlock(config, b, lif) if s == LAST else ConvolutionBlock(config, s, b, lif)
            for b in range(config.depths[s])
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stage's stream ``[T, N, C, H, W]`` at its end, from membrane potentials of the one before."""
        y = spikes = self.lif(x)
        for name in self.chain:
            y = self.lif(self.pool(self.get_submodule(name)(y)))
        stream: torch.Tensor = self.get_submodule(f"{self.last}_index")(self.get_submodule(self.last)(y))
        stream = self.shortcut_index.add(stream, self.pool(self.shortcut(spikes)))
        for block in self.blocks:
            stream = block(stream)
        return stream


class MaxFormer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: MaxFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.stages = nn.ModuleList(Stage(config, s, self.lif) for s in range(config.stages))
        self.head = nn.Linear(config.widths[stream_name(LAST)], len(config.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of static images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""
        static = images.ndim == 4
        steps = self.config.time_steps if static else images.shape[0]
        first = self.stages[0].get_submodule("first")
        x = first(images.unsqueeze(0) if static else images).expand(steps, -1, -1, -1, -1)
        for stage in self.stages:
            x = stage(x)
        logits: torch.Tensor = self.head(self.lif(frame_mean(x, training=self.training)).mean(0))
        return logits
