"""How much a channel says to its readers: how often it fires, times what they weigh it with.

The score of a channel is the sum over its readers of ``mean(|x|) * ||w||_2``, with x what the reader gets from the
channel over calibration images, time steps and positions, and w the reader's weights for it: the product of activation
and weight of M. Sun et al., *A Simple and Effective Pruning Approach for Large Language Models* (Wanda), ICLR 2024,
arXiv:2306.11695, summed up to channels. For spikes, ``mean(|x|)`` is the firing rate. Channels that no weight reads
(query and key meet in a product only; those of the stream are read by everybody) are scored by their filters' norms.
"""

import torch

from primesvt.models import ChannelGroup

from ..channel_statistics import Statistics
from .criterion import Criterion, Weights
from .l2 import L2


def _score(group: ChannelGroup, weights: Weights, statistics: Statistics | None) -> torch.Tensor:
    if statistics is None or not group.readers or group.stream is not None:
        return L2.score(group, weights, statistics)
    scores = [_read(weights[f"{reader}.weight"]) * statistics.activity(reader) for reader in group.readers]
    return torch.stack(scores).sum(0)


def _read(weight: torch.Tensor) -> torch.Tensor:
    """L2 norms ``[C]`` of what a reader weighs each of its inputs with."""
    norms: torch.Tensor = weight.detach().double().transpose(0, 1).flatten(1).norm(dim=1)
    return norms


ACTIVITY = Criterion(name="activity", score=_score, needs_statistics=True)
