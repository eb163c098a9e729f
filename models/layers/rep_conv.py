"""RepConv, the re-parameterizable convolution of Meta-SpikeFormer's attention.

M. Yao et al., *Spike-driven Transformer V2*, ICLR 2024, arXiv:2404.03663, section 3.2; after X. Ding et al., *RepVGG*,
CVPR 2021, arXiv:2101.03697. A 1x1 convolution, BatchNorm, a depth-wise 3x3 convolution, a 1x1 convolution and two more
BatchNorms in sequence, with no neuron between them.

The border that the 3x3 convolution needs is not zero: it holds what BatchNorm makes of zero, as if the image had been
padded before. Only so can the sequence be folded into one convolution.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .channels import ChannelGroup, conv_bn
from .conv import ConvBN


class RepConv(nn.Module):
    """The sequence over every frame of ``[T, N, C, H, W]``.

    Args:
        in_channels: Channels read.
        inner: Channels between the two 1x1 convolutions.
        out_channels: Channels written.
    """

    def __init__(self, in_channels: int, inner: int, out_channels: int) -> None:
        super().__init__()
        self.inner = ConvBN(in_channels, inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, groups=inner, bias=False)
        self.outer = ConvBN(inner, out_channels)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[T, N, C, H, W]`` to ``[T, N, C', H, W]``."""
        frames = self.inner.conv(x.flatten(0, 1))
        y = self.norm(self.outer.bn(self.outer.conv(self.depthwise(self._padded(frames)))))
        sequence: torch.Tensor = y.unflatten(0, x.shape[:2])
        return sequence

    def _padded(self, frames: torch.Tensor) -> torch.Tensor:
        """BatchNorm with a border of one pixel."""
        bn = self.inner.bn
        if not bn.training:
            normed: torch.Tensor = bn(F.pad(frames, [1] * 4))
            return normed
        # The border is no part of the batch's statistics, and learns nothing: it follows the running ones. In the order
        # of a training begun before, which `norm.affine` rounds differently from.
        normed = bn(frames)
        mean, variance = bn.get_buffer("running_mean"), bn.get_buffer("running_var")
        border = (bn.bias - mean * bn.weight / torch.sqrt(variance + bn.eps)).detach().view(-1, 1, 1)
        return F.pad(normed - border, [1] * 4) + border


def inner_group(prefix: str, name: str) -> ChannelGroup:
    """The inner channels of the :class:`RepConv` at ``prefix``, as the layer ``name``."""
    return ChannelGroup(
        name=name,
        kind="attention",
        filters=(*conv_bn(f"{prefix}.inner"), f"{prefix}.depthwise"),
        readers=(f"{prefix}.outer.conv",),
    )


def outer_filters(*prefixes: str) -> tuple[str, ...]:
    """The leaf modules that make the output of the :class:`RepConv` modules at ``prefixes``."""
    return tuple(leaf for prefix in prefixes for leaf in (*conv_bn(f"{prefix}.outer"), f"{prefix}.norm"))
