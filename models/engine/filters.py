"""The layers of a model that weigh what they add up, in the numbers of our kernels.

A layer is filters, and per output one factor and one summand, which are all that its bias and its BatchNorms do in
evaluation mode. Both are computed in float64, by operations that IEEE 754 rounds the same on every processor, and
rounded to float32 once.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import nn

from ..layers.norm import affine


@dataclass(frozen=True)
class Filters:
    """Filters, and what is done with their sums: ``sum * scale + shift``, rounded once.

    Args:
        weight: float32 ``[C', C, k, k]``; of depth-wise ones ``[C, 1, k, k]``.
        scale: float32 ``[C']``.
        shift: float32 ``[C']``.
        stride: From one window to the next.
    """

    weight: torch.Tensor
    scale: np.ndarray
    shift: np.ndarray
    stride: int = 1

    @classmethod
    def of(cls, layer: nn.Conv2d | nn.Linear, *norms: nn.BatchNorm2d) -> Self:
        """Of a layer and the BatchNorms behind it; a linear layer is a convolution of single pixels."""
        weight = layer.weight.detach()
        scale = np.ones(len(weight))
        shift = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
        for norm in norms:
            factor, summand = (values.numpy() for values in affine(norm))
            scale, shift = scale * factor, shift * factor + summand
        filters = weight if weight.ndim == 4 else weight[..., None, None]
        stride = int(layer.stride[0]) if isinstance(layer, nn.Conv2d) else 1
        return cls(filters, scale.astype(np.float32), shift.astype(np.float32), stride)


def is_depthwise(conv: nn.Conv2d) -> bool:
    """Whether every filter reads just the channel of its own number."""
    return 1 < conv.groups == conv.in_channels == conv.out_channels


def why_not(conv: nn.Conv2d) -> str | None:
    """Why our kernels do not compute a convolution; None where they do."""
    kernel = conv.kernel_size[0]
    if conv.groups != 1 and not is_depthwise(conv):
        return f"its filters are in {conv.groups} groups"
    if conv.kernel_size != (kernel, kernel) or kernel % 2 == 0 or conv.stride != (conv.stride[0],) * 2:
        return f"its filters are {' x '.join(map(str, conv.kernel_size))} pixels, {conv.stride} apart"
    if conv.dilation != (1, 1):
        return f"its filters are dilated by {conv.dilation}"
    if conv.padding_mode != "zeros" or conv.padding != (kernel // 2,) * 2:
        return f"it is padded by {conv.padding} pixels in the mode {conv.padding_mode}"
    return None
