"""A convolution and its BatchNorm over a sequence of frames."""

import torch
from torch import nn


class FrameConv(nn.Conv2d):
    """The convolution of a :class:`ConvBN`; training on the CPU has a faster way of its own to the same numbers.

    There the channels of a pixel lie side by side in memory (``torch.channels_last``), which BatchNorm, max-pooling and
    convolutions are faster with, and :mod:`~primesvt.models.layers.sparse_conv` leaves out what is zero.
    """

    def reset_parameters(self) -> None:
        """Draw weights; without memory to draw them into, which takes a third of building a model, leave it."""
        if not self.weight.is_meta:
            super().reset_parameters()

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """``[B, C, H, W]`` to ``[B, C', H', W']``."""
        if not (self.training and trains_on_cpu(frames)):
            return super().forward(frames)
        frames = frames.contiguous(memory_format=torch.channels_last)
        step = self.stride[0]
        if self.groups > 1 or (step > 1 and self.kernel_size[0] > 1):
            return super().forward(frames)
        # Filters of one pixel read no other pixels than these. Not left to PyTorch: with channels last and fewer than 8
        # of them, the gradient of such a convolution with a stride corrupts memory (seen in PyTorch 2.14).
        # Imported by the first step of a training: a model that is only looked at needs no numba.
        from . import sparse_conv

        return sparse_conv.conv2d(frames[:, :, ::step, ::step], self.weight, self.bias)


def trains_on_cpu(x: torch.Tensor) -> bool:
    """Whether what is computed from ``x`` may be differentiated, on the CPU."""
    return torch.is_grad_enabled() and x.device.type == "cpu" and not torch.compiler.is_exporting()


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
        self.conv = FrameConv(
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
        if x.device.type == "cpu":
            # Its kernel is vectorized for this memory format alone: over ten times faster, the same maxima.
            frames = frames.contiguous(memory_format=torch.channels_last)
        y = super().forward(frames)
        sequence: torch.Tensor = (y if self.training and trains_on_cpu(x) else y.contiguous()).unflatten(0, x.shape[:2])
        return sequence


def frame_mean(x: torch.Tensor, *, training: bool) -> torch.Tensor:
    """The mean of every frame of ``[T, N, C, H, W]``, ``[T, N, C]``.

    Args:
        x: The frames.
        training: Whether the model is in training mode: in evaluation it answers the same with gradients as without.
    """
    if training and trains_on_cpu(x):
        # So its gradient has the channels last, too: it reaches every layer that writes into a residual stream.
        return x.movedim(2, -1).mean((2, 3))
    return x.flatten(3).mean(-1)
