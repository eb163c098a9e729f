"""What the tests of convolutions share: layers, spikes, and both ways to convolve."""

import torch

from primesvt.models.layers.conv import FrameConv

SPARSE, DENSE = 0.0, float("inf")


def conv(channels: int, filters: int, kernel: int, *, bias: bool, seed: int = 0) -> FrameConv:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return FrameConv(channels, filters, kernel, padding=kernel // 2, bias=bias)


def spikes(shape: tuple[int, ...], density: float, seed: int = 0) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < density).float()
