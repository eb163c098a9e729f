"""Writing into some channels of a residual stream.

A layer whose filters were pruned still adds into a stream of full width: it keeps the index of the channels that it
writes, and adds nothing to the others. So its weights really shrink while the stream, and every layer that reads it,
stays as it is.
"""

import torch
from torch import nn


class StreamIndex(nn.Module):
    """The stream channels that a narrowed layer writes.

    Args:
        width: Number of channels written; ``width == stream`` needs no index and stores nothing.
        stream: Number of channels of the stream.
    """

    channels: torch.Tensor | None

    def __init__(self, width: int, stream: int) -> None:
        super().__init__()
        self.stream = stream
        # int16 is what is stored, and counted as memory; int64 is what indexing asks for.
        index = None if width == stream else torch.arange(width, dtype=torch.int16)
        self.register_buffer("channels", index)

    def scatter(self, x: torch.Tensor) -> torch.Tensor:
        """Spread ``x [T, N, width, H, W]`` over a stream ``[T, N, stream, H, W]`` that is zero elsewhere."""
        if self.channels is None:
            return x
        shape = (*x.shape[:2], self.stream, *x.shape[3:])
        return x.new_zeros(shape).index_copy(2, self.channels.long(), x)

    def add(self, stream: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return ``stream [T, N, stream, H, W]`` with ``x [T, N, width, H, W]`` added to the indexed channels."""
        if self.channels is None:
            return stream + x
        return stream.index_add(2, self.channels.long(), x)
