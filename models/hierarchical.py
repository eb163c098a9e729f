"""Hierarchical families: stages of their own width and resolution, each with a residual stream of its own."""

from dataclasses import dataclass
from typing import Any, ClassVar

from .channels import EMBEDDING, ChannelGroup
from .config import MAX_DEPTH, MAX_WIDTH, ModelConfig, check_range
from .errors import PrimeSVTError


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
        depth = sum(self.depths[self.counted_stage :])
        return {"embed_dim": embed_dim, "depth": depth, "heads": self.heads, "mlp_ratio": hidden / embed_dim}

    @classmethod
    def heads_of(cls, heads: int | tuple[int, ...]) -> tuple[int, ...]:
        """One number of heads for every stage that has some."""
        return (heads,) * cls.stages_with_heads if isinstance(heads, int) else heads


def stream_name(stage: int) -> str:
    """Name of a stage's stream."""
    return f"stages.{stage}.{EMBEDDING}"


def stream_group(stage: int, readers: list[str]) -> ChannelGroup:
    """The stream of a stage, and the modules that read it; the last of them reads nothing else."""
    return ChannelGroup(name=stream_name(stage), kind=EMBEDDING, filters=(), readers=tuple(readers))
