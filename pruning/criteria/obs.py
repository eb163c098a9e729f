"""Optimal brain surgeon: by how much the readers' outputs change when they make up for a channel as well as they can.

B. Hassibi and D. G. Stork, *Second Order Derivatives for Network Pruning: Optimal Brain Surgeon*, NIPS 1992, for the
squared error of a layer's output and whole channels as E. Frantar, S. P. Singh and D. Alistarh, *Optimal Brain
Compression*, NeurIPS 2022, arXiv:2208.11580, and E. Kurtic, E. Frantar and D. Alistarh, *ZipLM*, NeurIPS 2023,
arXiv:2302.04089, do it: with H the covariance of what a reader reads, a channel whose weights are ``W_j`` (of all its
pixels) costs ``tr(W_j ([H^-1]_jj)^-1 W_j')``. The channel that costs least is removed, the weights of the others make
up for it, H^-1 loses it by an update of low rank, and so on: the score of a channel is its place in that order.

Deviations:

* Heads take turns, as all must stay equally wide.
* Channels that no weight reads alone (a layer that writes into a stream; query and key that meet in a product) are
  scored by the variance of what is written.
"""

from dataclasses import dataclass
from typing import Self

import torch

from primesvt.models import ChannelGroup

from ..channel_statistics import Statistics
from .criterion import Criterion, Weights, norms_of
from .l2 import L2

# Of the mean variance of a reader's inputs, as in the repair that makes up for the channels afterwards.
_RIDGE = 1e-3


def _score(group: ChannelGroup, weights: Weights, statistics: Statistics | None) -> torch.Tensor:
    if statistics is None:
        return L2.score(group, weights, statistics)
    if group.index is not None:
        return statistics.variance(group.index)
    if not group.readers:
        return torch.stack([statistics.variance(norm) for norm in norms_of(group, weights)]).sum(0)
    readers = [Reader.of(weights[f"{name}.weight"], statistics.covariance(name)) for name in group.readers]
    return removal_order(readers, group.heads)


def removal_order(readers: list["Reader"], heads: int = 1) -> torch.Tensor:
    """When every channel goes, float64 ``[C]``: 0 for the first one. The readers are used up.

    Args:
        readers: All that read the channels.
        heads: Into how many runs of equal length the channels are divided.
    """
    count = len(readers[0].inverse)
    order = torch.full((count,), torch.inf, dtype=torch.float64)
    for step in range(count):
        costs = torch.stack([reader.costs() for reader in readers]).sum(0)
        costs[order.isfinite()] = torch.inf
        head, size = step % heads, count // heads
        channel = head * size + int(costs[head * size : (head + 1) * size].argmin())
        order[channel] = step
        for reader in readers:
            reader.remove(channel)
    return order


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer that reads the channels, in float64; removing one writes into it.

    Args:
        weight: What it weighs its inputs with, ``[C, k, outputs]`` with k pixels of every channel; 0 for channels that
            are removed.
        inverse: Inverse of the covariance of its inputs, ``[C, k, C, k]``; that of a channel that is removed has 1 on
            its diagonal and is 0 elsewhere.
    """

    weight: torch.Tensor
    inverse: torch.Tensor

    @classmethod
    def of(cls, weight: torch.Tensor, covariance: torch.Tensor) -> Self:
        """From its weight ``[outputs, C, ...]`` and the covariance ``[C * k, C * k]`` of what it reads."""
        channels = weight.detach().double().flatten(2).movedim(0, -1).reshape(weight.shape[1], -1, weight.shape[0])
        variance = covariance.diagonal().mean()
        ridge = _RIDGE * variance if variance > 0 else 1.0
        regular = covariance + ridge * torch.eye(len(covariance), dtype=covariance.dtype)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(regular))
        return cls(channels.clone(), inverse.view(*channels.shape[:2], *channels.shape[:2]))

    def costs(self) -> torch.Tensor:
        """What removing each channel costs, ``[C]``."""
        blocks = self.inverse.diagonal(dim1=0, dim2=2).movedim(-1, 0)
        costs: torch.Tensor = (self.weight * torch.linalg.solve(blocks, self.weight)).sum((1, 2))
        return costs

    def remove(self, channel: int) -> None:
        """Remove a channel, for which the weights of the others make up."""
        count, pixels = self.inverse.shape[:2]
        column = self.inverse[:, :, channel].flatten(0, 1)
        gain = torch.linalg.solve(self.inverse[channel, :, channel], column.T)  # [k, C * k]
        self.weight.view(count * pixels, -1).addmm_(gain.T, self.weight[channel].clone(), alpha=-1)
        self.inverse.view(count * pixels, -1).addmm_(column.clone(), gain, alpha=-1)
        self.weight[channel] = 0
        self.inverse[channel], self.inverse[:, :, channel] = 0, 0
        self.inverse[channel, :, channel] = torch.eye(pixels, dtype=torch.float64)


OBS = Criterion(name="obs", score=_score, needs_statistics=True)
