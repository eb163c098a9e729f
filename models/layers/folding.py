"""BatchNorm folded into the convolutions before it (and, in RepConv, into the one after it), for inference.

In evaluation mode BatchNorm is one multiplication and one addition per channel, which a convolution can do as well: the
folded model reads and writes every activation once less. It gives the same logits within rounding; in float32 a
potential within rounding of the threshold may flip a spike, as between any two orders of summation.
"""

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .conv import ConvBN
from .norm import affine
from .rep_conv import RepConv


class FrameLayers(nn.Sequential):
    """Layers that know frames only, in a row, over the frames of a sequence."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[T, N, C, H, W]`` to ``[T, N, C', H', W']``."""
        frames = x.flatten(0, 1)
        for layer in self:
            frames = layer(frames)
        sequence: torch.Tensor = frames.unflatten(0, x.shape[:2])
        return sequence


def fold(model: nn.Module, device: torch.device | None = None) -> nn.Module:
    """A copy of a model in evaluation mode, with BatchNorm folded into the convolutions; the model is untouched.

    It answers as the model does, but cannot be saved or pruned, and has nothing to train: it is for inference alone.
    BatchNorm that a family of another package has elsewhere than in :class:`ConvBN` and :class:`RepConv` stays.

    Args:
        model: The model.
        device: Where the copy is, and is folded; None for where the model is.
    """
    return replaced(copy.deepcopy(model).eval().to(device), _folded).eval()


def replaced(module: nn.Module, change: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    """Exchange modules in a module, in place, for what ``change`` makes of them; None keeps one, and looks inside."""
    for name, child in module.named_children():
        new = change(child)
        if new is None:
            replaced(child, change)
        else:
            module.register_module(name, new)
    return module


def _folded(module: nn.Module) -> nn.Module | None:
    # A subclass may do anything else in its forward pass.
    if type(module) is ConvBN:
        return FrameLayers(_fuse(module.conv, module.bn))
    if type(module) is RepConv:
        return FrameLayers(
            module.inner.conv,
            _fuse_before(module.inner.bn, module.depthwise),
            _fuse(module.outer.conv, module.outer.bn, module.norm),
        )
    return None


def _fuse(conv: nn.Conv2d, *norms: nn.BatchNorm2d) -> nn.Conv2d:
    """A convolution that does what ``norms`` do behind it, too."""
    dtype, fused = conv.weight.dtype, copy.deepcopy(conv).double()
    for norm in norms:
        fused = fuse_conv_bn_eval(fused, copy.deepcopy(norm).double())
    return fused.to(dtype)


def _fuse_before(norm: nn.BatchNorm2d, depthwise: nn.Conv2d) -> nn.Conv2d:
    """A depth-wise convolution, padded by zeros, that does what the BatchNorm of the padded image does before it.

    Every filter reads one channel, so that BatchNorm's factor ``s`` and summand ``b`` come out of the sum:
    ``sum(w * (s * x + b)) = sum(w * s * x) + b * sum(w)``.
    """
    old = depthwise.weight.detach().double()
    factor, summand = (values.to(old.device) for values in affine(norm))
    channels, _, size, _ = old.shape
    with torch.device("meta"):
        fused = nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels)
    fused.weight = nn.Parameter(old * factor.view(-1, 1, 1, 1))
    fused.bias = nn.Parameter(old.sum(dim=(1, 2, 3)) * summand)
    return fused.eval().to(depthwise.weight.dtype)
