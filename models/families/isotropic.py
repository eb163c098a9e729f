"""Isotropic families: one residual stream behind a four-stage convolutional stem, as the first of them have it."""

from dataclasses import dataclass
from typing import Any

from ..errors import PrimeSVTError
from ..layers.channels import ChannelGroup, conv_bn, writer
from .config import MAX_DEPTH, MAX_WIDTH, ModelConfig, check_range


@dataclass(frozen=True, kw_only=True)
class IsotropicConfig(ModelConfig):
    """What the isotropic families have in common.

    Args:
        depth: Number of transformer blocks.
        heads: Number of attention heads.
        pooling: Four digits, one per stem stage: ``1`` where the stage halves height and width.
    """

    depth: int
    heads: int
    pooling: str = "1111"

    def __post_init__(self) -> None:
        check_range("depth", self.depth, 1, MAX_DEPTH)
        check_range("heads", self.heads, 1, MAX_WIDTH)
        if len(self.pooling) != 4 or set(self.pooling) - {"0", "1"}:
            raise PrimeSVTError(f"pooling must be four digits 0 or 1, such as 1100, got {self.pooling!r}.")
        super().__post_init__()

    def sizes(self) -> dict[str, Any]:
        """Embedding width, depth, heads and MLP ratio."""
        # Some MLPs may have been removed.
        hidden = max(self.widths[f"blocks.{b}.hidden"] for b in range(self.depth))
        embed_dim = self.widths["embedding"]
        return {"embed_dim": embed_dim, "depth": self.depth, "heads": self.heads, "mlp_ratio": hidden / embed_dim}


def stem_groups() -> list[ChannelGroup]:
    """The prunable layers of the stem: four convolutions in a row, and one that tells the positions."""
    stem = [
        ChannelGroup(name=f"stem.{i}", kind="stem", filters=conv_bn(f"stem.{i}"), readers=(f"stem.{i + 1}.conv",))
        for i in range(3)
    ]
    # The position convolution reads what the last stage wrote, before anything else is added to the stream.
    stem.append(writer("stem.3", "stem", index="stem_index", readers=("position.conv",)))
    return [*stem, writer("position", "position")]


def stem_widths(embed_dim: int) -> dict[str, int]:
    """Published widths of the stem, by layer name: an eighth, a quarter, a half and all of the embedding."""
    return {
        "stem.0": embed_dim // 8,
        "stem.1": embed_dim // 4,
        "stem.2": embed_dim // 2,
        "stem.3": embed_dim,
        "position": embed_dim,
        "embedding": embed_dim,
    }


def hidden_width(embed_dim: int, mlp_ratio: float) -> int:
    """Hidden width of the MLP, rounded down; exact where the ratio was itself computed from two widths."""
    return int(embed_dim * mlp_ratio + 1e-6)
