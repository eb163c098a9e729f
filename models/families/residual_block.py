"""What every block has: two halves with a shortcut each, one that mixes tokens and an MLP; pruning may remove either.

A half that was removed has no layers, so nothing of it is stored or computed: its shortcut is all that is left.
"""

from collections.abc import Mapping

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """A block, as far as all families agree.

    Args:
        widths: Channels of every layer of the model, by name; a half whose last layer has none, or is not there, was
            removed.
        prefix: Name of the block.
        mixer: Last layer of the half that mixes tokens; that of the MLP is ``output`` everywhere.
    """

    def __init__(self, widths: Mapping[str, int], prefix: str, *, mixer: str = "projection") -> None:
        super().__init__()
        self.mixes = widths.get(f"{prefix}.{mixer}", 0) > 0
        self.has_mlp = widths[f"{prefix}.output"] > 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream after the block, ``[T, N, C, H, W]`` to the same shape."""
        x = self.mix(x) if self.mixes else x
        return self.mlp(x) if self.has_mlp else x

    def mix(self, x: torch.Tensor) -> torch.Tensor:
        """The half that mixes tokens, with its shortcut."""
        raise NotImplementedError

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """The MLP with its shortcut."""
        raise NotImplementedError
