"""Meta-SpikeFormer (Spike-driven Transformer version 2), with free internal widths.

M. Yao et al., *Spike-driven Transformer V2: Meta Spiking Neural Network Architecture Inspiring the Design of
Next-generation Neuromorphic Chips*, ICLR 2024, arXiv:2404.03663. Reference code: BICLab/Spike-Driven-Transformer-V2,
``classification/models.py``, whose logits this model equals.

Three stages of convolutional blocks (separable and 3x3 convolutions), then two of transformer blocks, whose query, key,
value and projection are :class:`~primesvt.models.layers.rep_conv.RepConv`. Every stage begins with a downsampling
convolution, which writes the stage's stream; shortcuts add membrane potentials.

Deviations from the reference:

* Every internal width is free, those inside of RepConv, too, and a layer that writes into a residual stream may write
  only some of its channels.
* A static image goes through the first convolution once instead of T times: the result is the same T times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import nn

from ..errors import PrimeSVTError
from ..layers.channels import ChannelGroup, conv_bn, residual_branch, writer
from ..layers.conv import ConvBN, frame_mean
from ..layers.neuron import LIFNode
from ..layers.rep_conv import RepConv, inner_group, outer_filters
from ..layers.stream_index import StreamIndex
from .hierarchical import BlockGroups, HierarchicalConfig, staged_groups, stream_name, uniform_widths
from .layout import Checkpoint, Layout, Rename, conv_bn_renames
from .membrane_block import MembraneBlock, membrane_mlp_groups, membrane_mlp_readers
from .published_data import IMAGENET
from .residual_block import ResidualBlock
from .resizing import mae_rule
from .spiking_block import SelfAttention, attention_groups, spiking_mlp_groups

_CONV_STAGES = 3
_STRIDES = (2, 2, 2, 2, 1)


def _conv_block_groups(prefix: str, stream: str) -> BlockGroups:
    separable = ChannelGroup(
        name=f"{prefix}.separable",
        kind="convolution",
        filters=(*conv_bn(f"{prefix}.separable"), f"{prefix}.depthwise"),
        readers=(f"{prefix}.separable_output.conv",),
    )
    output = writer(f"{prefix}.separable_output", "convolution", stream=stream)
    groups = [*residual_branch(f"{prefix}.mixer", [separable, output]), *spiking_mlp_groups(prefix, stream)]
    return groups, [f"{prefix}.separable.conv", f"{prefix}.hidden.conv"]


def _attention_block_groups(prefix: str, stream: str, heads: int) -> BlockGroups:
    names = ("query", "key", "value", "projection")
    groups = [inner_group(f"{prefix}.{name}", f"{prefix}.{name}_inner") for name in names]
    groups += [
        *attention_groups(prefix, heads, leaves=outer_filters, reader="projection.inner.conv"),
        writer(f"{prefix}.projection", "projection", stream=stream, filters=outer_filters(f"{prefix}.projection")),
    ]
    groups = [*residual_branch(f"{prefix}.mixer", groups), *membrane_mlp_groups(prefix, stream=stream)]
    readers = [f"{prefix}.{name}.inner.conv" for name in names[:3]]
    return groups, readers + membrane_mlp_readers(prefix)


def _groups(depths: tuple[int, ...], heads: tuple[int, ...], distillation_head: bool) -> tuple[ChannelGroup, ...]:
    def block(prefix: str, s: int) -> BlockGroups:
        if s < _CONV_STAGES:
            return _conv_block_groups(prefix, stream_name(s))
        return _attention_block_groups(prefix, stream_name(s), heads[s - _CONV_STAGES])

    def end(s: int) -> list[str]:
        if s + 1 < len(depths):
            return [f"stages.{s + 1}.downsampling.conv"]
        return ["head_kd", "head"] if distillation_head else ["head"]

    return staged_groups(
        depths,
        lambda s: [writer(f"stages.{s}.downsampling", "downsampling", stream=stream_name(s))],
        block,
        end,
    )


def _structure(weights: Checkpoint) -> tuple[dict[str, Any], tuple[ChannelGroup, ...]]:
    depths = tuple(weights.count(f"stages.{s}.blocks.{{b}}.query.inner.conv.weight") for s in (3, 4))
    fields: dict[str, Any] = {"depths": (1, 1, 2, *depths), "distillation_head": weights.has("head_kd.weight")}
    return fields, _groups(fields["depths"], (1, 1), fields["distillation_head"])


def _renames() -> tuple[Rename, ...]:
    renames = [Rename("head", "head", 2), Rename("head_kd", "head_kd", 2)]
    for s, name in enumerate(("1_1", "1_2", "2", "3", "4")):
        theirs = f"downsample{name}"
        renames += conv_bn_renames(f"stages.{s}.downsampling", f"{theirs}.encode_conv", f"{theirs}.encode_bn")
    for ours, block in (("0.blocks.0", "1_1"), ("1.blocks.0", "1_2"), ("2.blocks.0", "2_1"), ("2.blocks.1", "2_2")):
        prefix, theirs = f"stages.{ours}", f"ConvBlock{block}.0"
        renames += conv_bn_renames(f"{prefix}.separable", f"{theirs}.Conv.pwconv1", f"{theirs}.Conv.bn1")
        renames.append(Rename(f"{prefix}.depthwise", f"{theirs}.Conv.dwconv", 4))
        renames += conv_bn_renames(f"{prefix}.separable_output", f"{theirs}.Conv.pwconv2", f"{theirs}.Conv.bn2")
        renames += conv_bn_renames(f"{prefix}.hidden", f"{theirs}.conv1", f"{theirs}.bn1")
        renames += conv_bn_renames(f"{prefix}.output", f"{theirs}.conv2", f"{theirs}.bn2")
    for s in (3, 4):
        for ours, name in (("query", "q"), ("key", "k"), ("value", "v"), ("projection", "proj")):
            prefix, theirs = f"stages.{s}.blocks.{{b}}.{ours}", f"block{s}.{{b}}.attn.{name}_conv"
            renames += conv_bn_renames(f"{prefix}.inner", f"{theirs}.0.body.0", f"{theirs}.0.body.1.bn")
            renames.append(Rename(f"{prefix}.depthwise", f"{theirs}.0.body.2.0", 4))
            renames += conv_bn_renames(f"{prefix}.outer", f"{theirs}.0.body.2.1", f"{theirs}.0.body.2.2")
            renames.append(Rename(f"{prefix}.norm", f"{theirs}.1"))
        for ours, name in (("hidden", "fc1"), ("output", "fc2")):
            prefix, theirs = f"stages.{s}.blocks.{{b}}.{ours}", f"block{s}.{{b}}.mlp.{name}"
            renames += conv_bn_renames(prefix, f"{theirs}_conv", f"{theirs}_bn", 3)
    return tuple(renames)


_LAYOUT = Layout(
    source="BICLab/Spike-Driven-Transformer-V2, classification/models.py",
    renames=_renames(),
    structure=_structure,
    # Two public versions have the same weights and another forward pass.
    rules={"spiking_head": True},
    resizing=mae_rule,
)
# The code presents an image once unless told otherwise; the paper has T=1 and T=4 of every size.
_IMAGENET = {**IMAGENET, "depth": 8, "heads": 8, "time_steps": 1}


@dataclass(frozen=True, kw_only=True)
class MetaSpikeFormerConfig(HierarchicalConfig):
    """Configuration of a :class:`MetaSpikeFormer`.

    Args:
        attention_scale: Factor of the attention product, 0.125 whatever the head's width.
        spiking_head: Whether the heads read spikes, as in the current public code; earlier versions of it let the first
            one read membrane potentials.
        distillation_head: Whether there is a second head, trained by distillation; the two are averaged.
    """

    family: ClassVar[str] = "meta-spikeformer"
    stages: ClassVar[int] = 5
    stages_with_heads: ClassVar[int] = 2
    named_stage: ClassVar[int] = 3
    counted_stage: ClassVar[int] = 3
    # Parameters of the paper (table 1): 15.1, 31.3, 55.4 million.
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "meta-spikeformer-15m": {"embed_dims": (64, 128, 256, 360), **_IMAGENET},
            "meta-spikeformer-31m": {"embed_dims": (96, 192, 384, 480), **_IMAGENET},
            "meta-spikeformer-55m": {"embed_dims": (128, 256, 512, 640), **_IMAGENET},
        }
    )
    layouts: ClassVar[tuple[Layout, ...]] = (_LAYOUT,)

    attention_scale: float = 0.125
    spiking_head: bool = True
    distillation_head: bool = False

    @classmethod
    def uniform(
        cls,
        *,
        embed_dim: int | None = None,
        embed_dims: tuple[int, ...] | None = None,
        depth: int | tuple[int, ...],
        heads: int | tuple[int, ...],
        mlp_ratio: float = 4.0,
        **common: Any,
    ) -> Self:
        """An unpruned model.

        Args:
            embed_dim: Width of the first transformer stage; those around it then follow as in the published models.
            embed_dims: The four widths of the reference code, instead: of the second stage, the third, and the two
                transformer stages. The first stage has half of the second's.
            depth: Number of transformer blocks, of both stages or in all: then a quarter of them in the last.
            heads: Number of attention heads.
            mlp_ratio: Hidden width by embedding width, of all blocks.
            common: The other fields.

        Raises:
            PrimeSVTError: The depth is too small for two stages, or it is not said how wide they are.
        """
        if isinstance(depth, int) and depth < 2:
            raise PrimeSVTError(f"A {cls.family} has at least 2 transformer blocks, got depth {depth}.")
        if embed_dims is None:
            if embed_dim is None:
                raise PrimeSVTError("Say how wide the stages are: embed_dim or embed_dims.")
            embed_dims = (embed_dim // 4, embed_dim // 2, embed_dim, embed_dim * 5 // 4)
        dims = (embed_dims[0] // 2, *embed_dims)
        attention = (depth - max(1, depth // 4), max(1, depth // 4)) if isinstance(depth, int) else depth
        fields: dict[str, Any] = {"depths": (1, 1, 2, *attention), "heads": cls.heads_of(heads), **common}
        cls.check_count("depths", fields["depths"], cls.stages)
        groups = _groups(fields["depths"], fields["heads"], bool(common.get("distillation_head", False)))
        widths = uniform_widths(groups, dims, mlp_ratio, {".separable": 2.0})
        return cls(widths=widths, **fields)

    def sizes(self) -> dict[str, Any]:
        """Embedding widths, depth, heads and MLP ratio."""
        sizes = super().sizes()
        del sizes["embed_dim"]
        return {**sizes, "embed_dims": tuple(self.widths[stream_name(s)] for s in range(1, self.stages))}

    def groups(self) -> tuple[ChannelGroup, ...]:
        """Prunable layers, in the order of the forward pass; the five streams are last."""
        return _groups(self.depths, self.heads, self.distillation_head)

    def build(self) -> "MetaSpikeFormer":
        """A model with random weights."""
        return MetaSpikeFormer(self)


class ConvBlock(ResidualBlock):
    """Separable convolution, then two 3x3 convolutions, each half with a membrane shortcut."""

    def __init__(self, widths: Mapping[str, int], prefix: str, stream: str, lif: LIFNode) -> None:
        super().__init__(widths, prefix, mixer="separable_output")
        width = widths[stream]
        separable, separable_output, hidden, output = (
            widths[f"{prefix}.{name}"] for name in ("separable", "separable_output", "hidden", "output")
        )
        if self.mixes:
            self.separable = ConvBN(width, separable)
            self.depthwise = nn.Conv2d(separable, separable, 7, padding=3, groups=separable, bias=False)
            self.separable_output = ConvBN(separable, separable_output)
            self.separable_output_index = StreamIndex(separable_output, width)
        if self.has_mlp:
            self.hidden = ConvBN(width, hidden, 3)
            self.output = ConvBN(hidden, output, 3)
            self.output_index = StreamIndex(output, width)
        self.lif = lif

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """The separable convolution with its shortcut."""
        spikes = self.lif(self.separable(self.lif(x)))
        mixed = self.depthwise(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])
        return self.separable_output_index.add(x, self.separable_output(mixed))

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """The two 3x3 convolutions with their shortcut."""
        return self.output_index.add(x, self.output(self.lif(self.hidden(self.lif(x)))))


class AttentionBlock(MembraneBlock):
    """Spike-driven self-attention between RepConvs, then the MLP, each with a membrane shortcut."""

    def __init__(self, config: MetaSpikeFormerConfig, stage: int, b: int, lif: LIFNode) -> None:
        prefix, stream = f"stages.{stage}.blocks.{b}", stream_name(stage)
        super().__init__(config.widths, prefix, stream=stream, lif=lif)
        width, query_key, value, projection = (
            config.widths[name] for name in (stream, *(f"{prefix}.{n}" for n in ("query_key", "value", "projection")))
        )
        inner = {name: config.widths[f"{prefix}.{name}_inner"] for name in ("query", "key", "value", "projection")}
        if self.mixes:
            self.query = RepConv(width, inner["query"], query_key)
            self.key = RepConv(width, inner["key"], query_key)
            self.value = RepConv(width, inner["value"], value)
            self.projection = RepConv(value, inner["projection"], projection)
            self.projection_index = StreamIndex(projection, width)
            self.self_attention = SelfAttention(config.heads[stage - _CONV_STAGES])
        self.scale = config.attention_scale
        self.attention_lif = LIFNode(tau=config.tau, v_threshold=config.attention_threshold)

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """Attention with its shortcut."""
        spikes = self.lif(x)
        query, key, value = (self.lif(layer(spikes)) for layer in (self.query, self.key, self.value))
        attended = self.attention_lif(self.self_attention(query, key, value) * self.scale)
        return self.projection_index.add(x, self.projection(attended))


class Stage(nn.Module):
    """A downsampling convolution that begins a stream, and the blocks that read and write it."""

    def __init__(self, config: MetaSpikeFormerConfig, s: int, lif: LIFNode) -> None:
        super().__init__()
        widths, stream = config.widths, stream_name(s)
        read = config.in_channels if s == 0 else widths[stream_name(s - 1)]
        written = widths[f"stages.{s}.downsampling"]
        self.downsampling = ConvBN(read, written, 7 if s == 0 else 3, stride=_STRIDES[s], bias=True)
        self.downsampling_index = StreamIndex(written, widths[stream])
        self.blocks = nn.ModuleList(
            ConvBlock(widths, f"stages.{s}.blocks.{b}", stream, lif)
            if s < _CONV_STAGES
            else AttentionBlock(config, s, b, lif)
            for b in range(config.depths[s])
        )
        # The image itself is no membrane potential: the first convolution reads it as it is.
        self.lif = lif if s else nn.Identity()

    def forward(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """The stage's stream ``[T, N, C, H, W]`` at its end, from that of the stage before, or from images."""
        x = self.downsampling_index.scatter(self.downsampling(self.lif(x))).expand(steps, -1, -1, -1, -1)
        for block in self.blocks:
            x = block(x)
        return x


class MetaSpikeFormer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: MetaSpikeFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.stages = nn.ModuleList(Stage(config, s, self.lif) for s in range(config.stages))
        width, classes = config.widths[stream_name(config.stages - 1)], len(config.classes)
        self.head = nn.Linear(width, classes)
        self.head_kd = nn.Linear(width, classes) if config.distillation_head else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of static images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""
        static = images.ndim == 4
        steps = self.config.time_steps if static else images.shape[0]
        x = images.unsqueeze(0) if static else images
        for stage in self.stages:
            x = stage(x, steps)
        potentials = frame_mean(x, training=self.training)
        rate = self.lif(potentials).mean(0)
        logits: torch.Tensor = self.head(rate if self.config.spiking_head else potentials.mean(0))
        return logits if self.head_kd is None else (logits + self.head_kd(rate)) / 2
