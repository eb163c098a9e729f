"""Hierarchical families: stages of their own width and resolution, each with a residual stream of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import PrimeSVTError
from ..layers.channels import EMBEDDING, ChannelGroup
from .config import MAX_DEPTH, MAX_WIDTH, ModelConfig, check_range
from .isotropic import hidden_width

# The prunable layers of a block, and the modules of it that read the stream.
BlockGroups = tuple[list[ChannelGroup], list[str]]


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
            self.check_count(name, values, count)
            for value in values:
                check_range(name, value, 1, high)
        super().__post_init__()

    def sizes(self) -> dict[str, Any]:
        """Embedding width, depth, heads and MLP ratio."""
        embed_dim = self.widths[stream_name(self.named_stage)]
        # Some MLPs may have been removed.
        blocks = range(self.depths[self.named_stage])
        hidden = max(self.widths[f"stages.{self.named_stage}.blocks.{b}.hidden"] for b in blocks)
        depth = self.depths[self.counted_stage :]
        return {"embed_dim": embed_dim, "depth": depth, "heads": self.heads, "mlp_ratio": hidden / embed_dim}

    @classmethod
    def heads_of(cls, heads: int | tuple[int, ...]) -> tuple[int, ...]:
        """One number of heads for every stage that has some.

        Raises:
            PrimeSVTError: There are more of them, or fewer.
        """
        if isinstance(heads, int):
            return (heads,) * cls.stages_with_heads
        cls.check_count("heads", heads, cls.stages_with_heads)
        return heads

    @classmethod
    def check_count(cls, name: str, values: Sequence[int], count: int) -> None:
        """Refuse what is not one number per stage.

        Raises:
            PrimeSVTError: Naming the field.
        """
        if len(values) != count:
            raise PrimeSVTError(f"{name} of a {cls.family} must be {count} numbers, one per stage, got {values}.")


def staged_groups(
    depths: Sequence[int],
    begin: Callable[[int], Iterable[ChannelGroup]],
    block: Callable[[str, int], BlockGroups],
    end: Callable[[int], Iterable[str]],
) -> tuple[ChannelGroup, ...]:
    """The prunable layers of a whole model, in the order of the forward pass; the streams are last.

    Args:
        depths: Number of blocks of every stage.
        begin: The layers with which a stage begins, by its number.
        block: The layers of a block, by its name and the number of its stage, and the modules that read the stream.
        end: The modules that read the stream behind a stage's last block; of the last stage, the heads.
    """
    groups: list[ChannelGroup] = []
    streams = []
    for s, depth in enumerate(depths):
        readers: list[str] = []
        groups += begin(s)
        for b in range(depth):
            layers, block_readers = block(f"stages.{s}.blocks.{b}", s)
            groups += layers
            readers += block_readers
        # The last of them reads nothing else, so its weights tell the width of the stream.
        readers += end(s)
        streams.append(ChannelGroup(name=stream_name(s), kind=EMBEDDING, filters=(), readers=tuple(readers)))
    return (*groups, *streams)


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
