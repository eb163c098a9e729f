"""No information: the control."""

import zlib

import torch

from .criterion import Criterion, summed


def _draws(module: str, weight: torch.Tensor) -> torch.Tensor | None:
    if weight.ndim == 1:
        return None
    # Depends on the module alone, so that a plan names the same channels in every process.
    generator = torch.Generator().manual_seed(zlib.crc32(module.encode()))
    return torch.rand(weight.shape[0], generator=generator, dtype=torch.float64)


RANDOM = Criterion(name="random", score=summed(_draws))
