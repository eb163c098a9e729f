"""Hierarchical families: stages of their own width and resolution, each with a residual stream of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from ..errors import PrimeSVTError
from ..layers.channels import EMBEDDING, ChannelGroup, conv_bn, writer
from .config import MAX_DEPTH, MAX_WIDTH, ModelConfig, check_range
from .isotropic import hidden_width


@dataclass(frozen=True, kw_only=True)
class HierarchicalConfig(ModelConfig):
    """What the hierarchical families have in common.

    Args:
        depths: Number of blocks of every stage.
        heads: Number of attention heads of every stage that has attention with heads.
    """

    stages: ClassVar[int]
    stages_with_heads: ClassVar[int]
    # The stage after whose width published sizes are called, and the first of those whose blocks they count.
    named_stage: ClassVar[int]
    counted_stage: ClassVar[int] = 0
    derived: ClassVar[tuple[str, ...]] = ("depths",)

    depths: tuple[int, ...]
    heads: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, values, count, high in (
            ("depths", self.depths, self.stages, MAX_DEPTH),
            ("heads", self.heads, self.stages_with_heads, MAX_WIDTH),
        ):
            if len(values) != count:
                raise PrimeSVTError(f"{name} of a {self.family} must be {count} numbers, one per stage, got {values}.")
            for value in values:
                check_range(name, value, 1, high)
        super().__post_init__()

    def sizes(self) -> dict[str, Any]:
        """Embedding width, depth, heads and MLP ratio."""
        embed_dim = self.widths[stream_name(self.named_stage)]
        hidden = self.widths[f"stages.{self.named_stage}.blocks.0.hidden"]
        depth = self.depths[self.counted_stage :]
        return {"embed_dim": embed_dim, "depth": depth, "heads": self.heads, "mlp_ratio": hidden / embed_dim}

    @classmethod
    def heads_of(cls, heads: int | tuple[int, ...]) -> tuple[int, ...]:
        """One number of heads for every stage that has some."""
        return (heads,) * cls.stages_with_heads if isinstance(heads, int) else heads


class PatchEmbeddingConfig(HierarchicalConfig):
    """Three stages, each begun by a patch embedding, in a variant for CIFAR's small images and one for ImageNet's."""

    stages: ClassVar[int] = 3
    named_stage: ClassVar[int] = 2

    @classmethod
    def depths_of(cls, depth: int | tuple[int, ...], variant: str) -> tuple[int, ...]:
        """Blocks of every stage; of their sum, one is in the first, and one (``cifar``) or two in the second.

        Raises:
            PrimeSVTError: They are too few for three stages.
        """
        if not isinstance(depth, int):
            return depth
        second = 1 if variant == "cifar" else 2
        if depth < second + 2:
            raise PrimeSVTError(f"A {cls.family} for {variant} has at least {second + 2} blocks, got depth {depth}.")
        return 1, second, depth - 1 - second


def patch_embedding_chain(s: int, variant: str) -> tuple[str, ...]:
    """The convolutions of a stage's patch embedding, in a row; beside them is its ``shortcut``."""
    return ("first", "second", "third") if s == 0 and variant == "imagenet" else ("first", "second")


def patch_embedding_groups(s: int, variant: str) -> list[ChannelGroup]:
    """The prunable layers of a stage's patch embedding: the last of its chain and the shortcut write the stream."""
    stream, prefix, chain = stream_name(s), f"stages.{s}", patch_embedding_chain(s, variant)
    groups = []
    for name, following in pairwise(chain):
        readers = [f"{prefix}.{following}.conv"]
        if s == 0 and name == "first":
            readers.append(f"{prefix}.shortcut.conv")
        filters = conv_bn(f"{prefix}.{name}")
        groups.append(ChannelGroup(name=f"{prefix}.{name}", kind="stem", filters=filters, readers=tuple(readers)))
    return [*groups, *(writer(f"{prefix}.{name}", "stem", stream=stream) for name in (chain[-1], "shortcut"))]


def uniform_widths(
    groups: tuple[ChannelGroup, ...], dims: tuple[int, ...], mlp_ratio: float, factors: Mapping[str, float]
) -> dict[str, int]:
    """Widths of an unpruned model: every layer as wide as its stage, but hidden layers and those in ``factors``.

    Args:
        groups: The model's groups, named ``stages.<number>.<layer>``.
        dims: Widths of the stages.
        mlp_ratio: Hidden width by stage width.
        factors: Width by stage width of other layers, by the end of their name.
    """
    widths = {}
    for group in groups:
        width = dims[int(group.name.split(".")[1])]
        ratio = {".hidden": mlp_ratio, **factors}
        factor = next((ratio[end] for end in ratio if group.name.endswith(end)), 1.0)
        widths[group.name] = hidden_width(width, factor)
    return widths


def stream_name(stage: int) -> str:
    """Name of a stage's stream."""
    return f"stages.{stage}.{EMBEDDING}"


def stream_group(stage: int, readers: list[str]) -> ChannelGroup:
    """The stream of a stage, and the modules that read it; the last of them reads nothing else."""
    return ChannelGroup(name=stream_name(stage), kind=EMBEDDING, filters=(), readers=tuple(readers))
