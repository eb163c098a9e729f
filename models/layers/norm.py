"""BatchNorm in evaluation mode as what it is there: a factor and a summand per channel."""

import torch
from torch import nn
from torch.nn import functional as F


def affine(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """The factor and the summand of every channel, each ``[C]``, in the dtype of the BatchNorm.

    Both are what PyTorch itself makes of 1 and of 0, so that whoever multiplies and adds as PyTorch does gets its
    answers bit for bit.
    """
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    ones = mean.new_ones(1, len(mean), 1, 1)
    nought = torch.zeros_like(mean)
    with torch.inference_mode():
        factor = F.batch_norm(ones, nought, variance, norm.weight, nought, eps=norm.eps)
        summand = F.batch_norm(torch.zeros_like(ones), mean, variance, norm.weight, norm.bias, eps=norm.eps)
    return factor.flatten(), summand.flatten()
