"""BatchNorm in evaluation mode as what it is there: a factor and a summand per channel."""

import numpy as np
import torch
from torch import nn


def affine(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """The factor and the summand of every channel, each float64 ``[C]`` on the CPU.

    By numpy, whose square roots, products and sums of float64 are those of IEEE 754: the same on every processor.
    """
    mean, variance = (_exact(norm.get_buffer(f"running_{name}")) for name in ("mean", "var"))
    weight = np.ones_like(mean) if norm.weight is None else _exact(norm.weight)
    bias = np.zeros_like(mean) if norm.bias is None else _exact(norm.bias)
    factor = weight / np.sqrt(variance + norm.eps)
    return torch.from_numpy(factor), torch.from_numpy(bias - mean * factor)


def _exact(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()
