"""Magnitude of BatchNorm's scale: Z. Liu et al., *Network Slimming*, ICCV 2017, arXiv:1708.06519."""

import torch

from .criterion import Criterion, summed


def _scales(_module: str, weight: torch.Tensor) -> torch.Tensor | None:
    return weight.double().abs() if weight.ndim == 1 else None


BN_SCALE = Criterion(name="bn-scale", score=summed(_scales))
