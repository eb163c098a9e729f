"""Writing into some channels of a residual stream.

A layer whose filters were pruned still adds into a stream of full width: it keeps the index of the channels that it
writes, and adds nothing to the others. So its weights really shrink while the stream, and every layer that reads it,
stays as it is.
"""

import torch
from torch import nn
from torch.nn import functional as F


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

    def forward(self, x: torch.Tensor, stream: torch.Tensor | None = None, *, gather: bool = False) -> torch.Tensor:
        """As :meth:`scatter`; as :meth:`add` where there is a stream, and as :meth:`gather` where that is asked for."""
        if gather:
            return x if self.channels is None else x.index_select(2, self.channels.long())
        if self.channels is None:
            return x if stream is None else stream + x
        if torch.compiler.is_exporting():
            spread = _gathered(x, self.channels, self.stream)
            return spread if stream is None else stream + spread
        if stream is None:
            return self._zeros_like(x).index_copy_(2, self.channels.long(), x)
        # `index_add` itself would answer with the channels before height and width, whatever the stream has.
        return stream.clone().index_add_(2, self.channels.long(), x)

    def gather(self, stream: torch.Tensor) -> torch.Tensor:
        """The indexed channels ``[T, N, width, H, W]`` of ``stream [T, N, stream, H, W]``, for a depth-wise filter."""
        gathered: torch.Tensor = self(stream, gather=True)
        return gathered

    def scatter(self, x: torch.Tensor) -> torch.Tensor:
        """Spread ``x [T, N, width, H, W]`` over a stream ``[T, N, stream, H, W]`` that is zero elsewhere."""
        spread: torch.Tensor = self(x)
        return spread

    def add(self, stream: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return ``stream [T, N, stream, H, W]`` with ``x [T, N, width, H, W]`` added to the indexed channels."""
        summed: torch.Tensor = self(x, stream)
        return summed

    def _zeros_like(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros ``[T, N, stream, H, W]`` whose channels are last in memory where those of ``x`` are."""
        steps, images, _, height, width = x.shape
        if x.stride(2) == 1 and not x.is_contiguous():
            return x.new_zeros(steps, images, height, width, self.stream).movedim(-1, 2)
        return x.new_zeros(steps, images, self.stream, height, width)


def _gathered(x: torch.Tensor, channels: torch.Tensor, stream: int) -> torch.Tensor:
    """:meth:`StreamIndex.scatter` in an exported model: every channel of the stream reads one of ``x``, or zeros.

    ONNX scatters along an axis with an index per element only; it gathers whole channels, which is a copy of memory.
    Where to read from depends on nothing but the index, so a runtime works it out once.
    """
    numbers = torch.arange(1, channels.shape[0] + 1)
    sources = torch.zeros(stream, dtype=torch.int64).scatter(0, channels.long(), numbers)
    # Channel 0 is the zeros.
    return F.pad(x, (0, 0, 0, 0, 1, 0)).index_select(2, sources)
