"""A convolution and its BatchNorm over a sequence of frames."""

import torch
from torch import nn


class ConvBN(nn.Module):
    """Convolution and BatchNorm of every frame of ``[T, N, C, H, W]``; the time steps are batch entries to both.

    Args:
        in_channels: Channels read.
        out_channels: Channels written (the filters).
        kernel_size: Odd; half of it is padded, so that with a stride of 1 the size of the frame is kept.
        stride: 2 halves height and width, rounded up.
        bias: Whether the convolution has a bias, redundant before BatchNorm but present in published checkpoints.
        depthwise: Whether every filter reads just the channel of its own number.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        bias: bool = False,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=in_channels if depthwise else 1,
            bias=bias,
        )
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[T, N, C, H, W]`` to ``[T, N, C', H', W']``."""
        y: torch.Tensor = self.bn(self.conv(x.flatten(0, 1)))
        sequence: torch.Tensor = y.unflatten(0, x.shape[:2])
        return sequence


class MaxPool(nn.MaxPool2d):
    """Max-pooling of every frame of ``[T, N, C, H, W]`` by 3x3 windows, stride 2: halves its sides, rounded up."""

    def __init__(self) -> None:
        super().__init__(kernel_size=3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[T, N, C, H, W]`` to ``[T, N, C, ceil(H / 2), ceil(W / 2)]``."""
        frames = x.flatten(0, 1)
        if x.is_cuda:
            # Fast in either memory format, and it stays the one that the neighbours have.
            pooled: torch.Tensor = super().forward(frames).unflatten(0, x.shape[:2])
            return pooled
        if not torch.is_grad_enabled():
            # PyTorch's CPU kernel is vectorized for this memory format alone: over ten times faster, the same maxima.
            frames = frames.contiguous(memory_format=torch.channels_last)
        y: torch.Tensor = super().forward(frames).contiguous().unflatten(0, x.shape[:2])
        return y
