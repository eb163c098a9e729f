"""QKFormer, with free internal widths.

C. Zhou et al., *QKFormer: Hierarchical Spiking Transformer using Q-K Attention*, NeurIPS 2024, arXiv:2403.16552.
Reference code: zhouchenlin2096/QKFormer, and ``spikingjelly.activation_based.model.QKFormer``, whose logits this model
equals.

Three stages. Each begins with a patch embedding, two convolutions beside a strided shortcut, whose spikes are added:
both write the stage's stream. The first two stages have query-key attention: the query's spikes, summed, become a mask
over the key. The mask is one value per token and head (``token``), or one per channel (``channel``). Token attention
lets query channels go apart from the key's. The last stage has Spikformer's blocks. Shortcuts add spikes.

Deviations from both:

* Every internal width is free, and a layer that writes into a residual stream may write only some of its channels.
* A static image goes through the first convolution once instead of T times: the result is the same T times.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch
from torch import nn

from ..errors import PrimeSVTError
from ..layers.channels import ChannelGroup, conv_bn, residual_branch, writer
from ..layers.conv import ConvBN, MaxPool, frame_mean
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .config import check_above
from .hierarchical import BlockGroups, stream_name
from .layout import Checkpoint, Layout, Rename, conv_bn_renames, fused_renames
from .patch_embedding import LAST, PatchEmbeddingConfig, zoo_patch_embedding
from .published_data import CIFAR10, IMAGENET
from .residual_block import ResidualBlock
from .resizing import mae_rule
from .spiking_block import SpikingBlock, spiking_block_groups, spiking_mlp_groups

_ATTENTION = ("token", "channel")


def _query_key_groups(prefix: str, stream: str, heads: int, attention: str) -> BlockGroups:
    read_by = (f"{prefix}.projection.conv",)
    if attention == "token":
        # The queries of a head meet in a sum.
        query = ChannelGroup(name=f"{prefix}.query", kind="attention", filters=conv_bn(f"{prefix}.query"), heads=heads)
        key = ChannelGroup(
            name=f"{prefix}.key", kind="attention", filters=conv_bn(f"{prefix}.key"), readers=read_by, heads=heads
        )
        groups = [query, key]
    else:
        filters = conv_bn(f"{prefix}.query", f"{prefix}.key")
        groups = [ChannelGroup(name=f"{prefix}.query_key", kind="attention", filters=filters, readers=read_by)]
    groups.append(writer(f"{prefix}.projection", "projection", stream=stream))
    groups = [*residual_branch(f"{prefix}.mixer", groups), *spiking_mlp_groups(prefix, stream)]
    return groups, [f"{prefix}.{layer}.conv" for layer in ("query", "key", "hidden")]


def _structure_of(variant: str) -> Any:
    def structure(weights: Checkpoint) -> tuple[dict[str, Any], tuple[ChannelGroup, ...]]:
        attention = weights.said.get("attention", "token")
        fields: dict[str, Any] = {
            "depths": tuple(weights.count(f"stages.{s}.blocks.{{b}}.query.conv.weight") for s in range(3)),
            "variant": variant,
            "embedding_bias": weights.has("stages.0.first.conv.bias"),
            "projection_bias": weights.has("stages.0.blocks.0.projection.conv.bias"),
        }
        return fields, QKFormerConfig.declared({**fields, "heads": (1, 1, 1), "attention": attention})

    return structure


def _official(first: tuple[str, ...], attention: str, mlp: str) -> tuple[Rename, ...]:
    """Both official variants: ``first`` are the convolutions of the first patch embedding, in our order."""
    renames = [Rename("head", "head", 2)]
    for ours, theirs in zip(("first", "second", "third"), first, strict=False):
        name = f"patch_embed1.{theirs}"
        renames += conv_bn_renames(f"stages.0.{ours}", f"{name}_conv", f"{name}_bn")
    for s in range(3):
        pairs = [("shortcut", "proj_res")] + ([("first", "proj3"), ("second", "proj4")] if s else [])
        for ours, theirs in pairs:
            name = f"patch_embed{s + 1}.{theirs}"
            renames += conv_bn_renames(f"stages.{s}.{ours}", f"{name}_conv", f"{name}_bn")
        letters = [("query", "q"), ("key", "k"), ("projection", "proj")] + ([("value", "v")] if s == LAST else [])
        for ours, theirs in letters:
            name = f"stage{s + 1}.{{b}}.{'tssa' if s < LAST else attention}.{theirs}"
            renames += conv_bn_renames(f"stages.{s}.blocks.{{b}}.{ours}", f"{name}_conv", f"{name}_bn", 3)
        for ours, number in (("hidden", 1), ("output", 2)):
            name = f"stage{s + 1}.{{b}}.mlp.{mlp}{number}"
            renames += conv_bn_renames(f"stages.{s}.blocks.{{b}}.{ours}", f"{name}_conv", f"{name}_bn")
    return tuple(renames)


def _zoo() -> tuple[Rename, ...]:
    renames = [Rename("head", "head", 2)]
    for s in range(3):
        block, ours = f"stage{s + 1}.{{b}}", f"stages.{s}.blocks.{{b}}"
        renames += zoo_patch_embedding(s, "imagenet")
        fused = ("query", "key") if s < LAST else ("query", "key", "value")
        theirs = f"{block}.attn.{'qk' if s < LAST else 'qkv'}_conv_bn"
        renames += fused_renames(ours, fused, f"{theirs}.0", f"{theirs}.1")
        renames += conv_bn_renames(
            f"{ours}.projection", f"{block}.attn.proj_conv_bn.0", f"{block}.attn.proj_conv_bn.1", 3
        )
        for number, name in ((1, "hidden"), (2, "output")):
            renames += conv_bn_renames(f"{ours}.{name}", f"{block}.mlp.fc{number}", f"{block}.mlp.bn{number}", 3)
    return tuple(renames)


def _note(config: "QKFormerConfig") -> str | None:
    return _COUPLED if config.batch_coupling else None


_COUPLED = (
    "The official QKFormer lets the images of a batch meet: the projection neurons of its last stage take them for "
    "time steps. The imported model does the same, so its answers depend on the batch; --no-batch-coupling mends that."
)
_OFFICIAL = {"attention": "token", "batch_coupling": True, "embedding_bias": False, "projection_bias": True}
_IMAGENET = {**IMAGENET, "depth": 10, "variant": "imagenet", "projection_bias": True}


@dataclass(frozen=True, kw_only=True)
class QKFormerConfig(PatchEmbeddingConfig):
    """Configuration of a :class:`QKFormer`.

    Args:
        attention: ``token`` or ``channel``, of the first two stages.
        attention_scale: Factor of the last stage's attention product, 0.125 whatever the head's width.
        embedding_bias: Whether the patch embeddings have biases (SpikingJelly's have; the official code's have not).
        projection_bias: Whether the projections have (the official code's have; SpikingJelly's have not).
        batch_coupling: Whether the last stage's projection neurons run over the T times N frames of a batch in one row,
            as those of the official code do. Its models were trained and measured so; but what they answer to an image
            then depends on the other images of the batch. For a single image it changes nothing.
    """

    family: ClassVar[str] = "qkformer"
    stages_with_heads: ClassVar[int] = 3
    # Parameters of the paper (tables 2 and 3): 6.74, 16.47, 29.08, 64.96 million.
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "qkformer-4-384": {
                "embed_dim": 384,
                "depth": 4,
                "heads": 8,
                "variant": "cifar",
                "projection_bias": True,
                **CIFAR10,
            },
            "qkformer-10-384": {"embed_dim": 384, "heads": 6, **_IMAGENET},
            "qkformer-10-512": {"embed_dim": 512, "heads": 8, **_IMAGENET},
            "qkformer-10-768": {"embed_dim": 768, "heads": 12, **_IMAGENET},
        }
    )
    layouts: ClassVar[tuple[Layout, ...]] = (
        Layout(
            source="zhouchenlin2096/QKFormer, cifar10/model.py",
            renames=_official(("proj", "proj1"), "ssa", "mlp"),
            structure=_structure_of("cifar"),
            # The code replaces its argument `num_heads` by this.
            ignored={"heads": (8, 8, 8)},
            rules=_OFFICIAL,
            note=_note,
        ),
        Layout(
            source="zhouchenlin2096/QKFormer, imagenet/qkformer.py",
            renames=_official(("proj", "proj1", "proj2"), "attn", "fc"),
            structure=_structure_of("imagenet"),
            rules=_OFFICIAL,
            resizing=mae_rule,
            note=_note,
        ),
        Layout(
            source="spikingjelly.activation_based.model.QKFormer",
            renames=_zoo(),
            structure=_structure_of("imagenet"),
            rules={"attention": "token", "embedding_bias": True, "projection_bias": False},
        ),
    )

    attention: str = "token"
    attention_scale: float = 0.125
    embedding_bias: bool = False
    projection_bias: bool = False
    batch_coupling: bool = False

    def __post_init__(self) -> None:
        if self.attention not in _ATTENTION:
            raise PrimeSVTError(f"attention must be one of {', '.join(_ATTENTION)}, got {self.attention!r}.")
        check_above("attention_scale", self.attention_scale, 0)
        super().__post_init__()

    @classmethod
    def block_groups(cls, prefix: str, s: int, said: Mapping[str, Any]) -> BlockGroups:
        """Query-key attention, or in the last stage Spikformer's, and the MLP."""
        stream, heads = stream_name(s), said["heads"][s]
        if s < LAST:
            return _query_key_groups(prefix, stream, heads, said["attention"])
        return spiking_block_groups(prefix, heads, stream)

    def independent(self) -> Self:
        """The same model without :attr:`batch_coupling`."""
        return dataclasses.replace(self, batch_coupling=False)

    def build(self) -> "QKFormer":
        """A model with random weights."""
        return QKFormer(self)


class QueryKeyBlock(ResidualBlock):
    """Query-key attention and MLP with spike shortcuts (sections 3.2 and 3.3 of the paper)."""

    def __init__(self, config: QKFormerConfig, stage: int, b: int, lif: LIFNode) -> None:
        prefix, widths, width = f"stages.{stage}.blocks.{b}", config.widths, config.widths[stream_name(stage)]
        super().__init__(widths, prefix)
        names = ("query", "key") if config.attention == "token" else ("query_key", "query_key")
        query, key, projection, hidden, output = (
            widths[f"{prefix}.{name}"] for name in (*names, "projection", "hidden", "output")
        )
        self.heads = config.heads[stage] if config.attention == "token" else None
        if self.mixes:
            self.query = ConvBN(width, query)
            self.key = ConvBN(width, key)
            self.projection = ConvBN(key, projection, bias=config.projection_bias)
            self.projection_index = StreamIndex(projection, width)
        if self.has_mlp:
            self.hidden = ConvBN(width, hidden, bias=True)
            self.output = ConvBN(hidden, output, bias=True)
            self.output_index = StreamIndex(output, width)
        self.lif = lif
        self.attention_lif = LIFNode(tau=config.tau, v_threshold=config.attention_threshold)

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """Attention with its shortcut."""
        masked = self._masked(self.lif(self.query(x)), self.lif(self.key(x)))
        return self.projection_index.add(x, self.lif(self.projection(masked)))

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """The MLP with its shortcut."""
        return self.output_index.add(x, self.lif(self.output(self.lif(self.hidden(x)))))

    def _masked(self, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """The key ``[T, N, C, H, W]`` where the query, summed, fires."""
        if self.heads is None:
            channels: torch.Tensor = self.attention_lif(query.sum(dim=(-2, -1), keepdim=True))
            return key * channels
        # [T, N, heads, 1, H, W], one mask per token and head.
        mask = self.attention_lif(query.unflatten(2, (self.heads, -1)).sum(3, keepdim=True))
        masked: torch.Tensor = (key.unflatten(2, (self.heads, -1)) * mask).flatten(2, 3)
        return masked


class Stage(nn.Module):
    """A patch embedding that begins a stream, and the blocks that read and write it."""

    def __init__(self, config: QKFormerConfig, s: int, lif: LIFNode) -> None:
        super().__init__()
        widths, width, bias = config.widths, config.widths[stream_name(s)], config.embedding_bias
        read = widths[stream_name(s - 1)] if s else config.in_channels
        first, second, shortcut = (widths[f"stages.{s}.{name}"] for name in ("first", "second", "shortcut"))
        deep = s == 0 and config.variant == "imagenet"
        self.first = ConvBN(read, first, 3, bias=bias)
        self.second = ConvBN(first, second, 3, bias=bias)
        self.third = ConvBN(second, widths["stages.0.third"], 3, bias=bias) if deep else None
        last = "third" if deep else "second"
        self.written = f"{last}_index"
        self.register_module(self.written, StreamIndex(widths[f"stages.{s}.{last}"], width))
        # The first stage's shortcut begins behind its first convolution: there is nothing to add an image to.
        stride = 1 if s == 0 and config.variant == "cifar" else 2
        self.shortcut = ConvBN(read if s else first, shortcut, stride=stride, bias=bias)
        self.shortcut_index = StreamIndex(shortcut, width)
        self.pools = nn.ModuleList(MaxPool() if halves else nn.Identity() for halves in _pools(s, config.variant))
        self.lif = lif
        self.blocks = nn.ModuleList(
            QueryKeyBlock(config, s, b, lif)
            if s < LAST
            else SpikingBlock(
                widths,
                f"stages.{s}.blocks.{b}",
                stream=stream_name(s),
                heads=config.heads[s],
                scale=config.attention_scale,
                lif=lif,
                attention_lif=LIFNode(tau=config.tau, v_threshold=config.attention_threshold),
                projection_bias=config.projection_bias,
                mlp_bias=True,
                batch_coupling=config.batch_coupling,
            )
            for b in range(config.depths[s])
        )

    def forward(self, x: torch.Tensor, steps: int | None = None) -> torch.Tensor:
        """The stage's stream ``[T, N, C, H, W]`` at its end, from the one before, or from images, T in ``steps``."""
        y = self.pools[0](self.first(x))
        y = self.lif(y, steps)
        shortcut = self.lif(self.shortcut(x if steps is None else y))
        y = self.lif(self.pools[1](self.second(y)))
        if self.third is not None:
            y = self.lif(self.third(y))
        stream: torch.Tensor = self.get_submodule(self.written)(y)
        stream = self.shortcut_index.add(stream, shortcut)
        for block in self.blocks:
            stream = block(stream)
        return stream


def _pools(stage: int, variant: str) -> tuple[bool, bool]:
    """Whether a patch embedding halves the image behind its first and its second convolution.

    Those behind the first stage pool after their first convolution where the variant is ``imagenet``, and after their
    second where it is ``cifar``.
    """
    if stage == 0:
        return (variant == "imagenet",) * 2
    return (variant == "imagenet", variant == "cifar")


class QKFormer(nn.Module):
    """The model; see the module's documentation."""

    def __init__(self, config: QKFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.lif = LIFNode(tau=config.tau, v_threshold=config.v_threshold)
        self.stages = nn.ModuleList(Stage(config, s, self.lif) for s in range(config.stages))
        self.head = nn.Linear(config.widths[stream_name(config.stages - 1)], len(config.classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of static images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``."""
        static = images.ndim == 4
        steps = self.config.time_steps if static else images.shape[0]
        x = images.unsqueeze(0) if static else images
        for s, stage in enumerate(self.stages):
            x = stage(x, steps if s == 0 else None)
        logits: torch.Tensor = self.head(frame_mean(x, training=self.training).mean(0))
        return logits
