"""By how much the loss changes without a channel, to first order: activation times gradient.

P. Molchanov et al., *Pruning Convolutional Neural Networks for Resource Efficient Inference*, ICLR 2017,
arXiv:1611.06440. Of every labelled calibration image, a channel's output of BatchNorm times the gradient of the
cross-entropy there is summed over time steps and positions; the score is the mean magnitude of that. A channel that is
0 there is as good as removed: no neuron fires of it, and nothing is added to a stream.

Deviations: the gradient of a neuron is the surrogate one; coupled filters are added up; scores are not normalised over
layers, as only those of a layer are compared.
"""

import torch

from primesvt.models import ChannelGroup

from ..channel_statistics import Statistics
from .criterion import Criterion, Weights, norms_of
from .l2 import L2


def _score(group: ChannelGroup, weights: Weights, statistics: Statistics | None) -> torch.Tensor:
    norms = norms_of(group, weights)
    if statistics is None or not norms:
        return L2.score(group, weights, statistics)
    return torch.stack([statistics.influence(norm) for norm in norms]).sum(0)


TAYLOR = Criterion(name="taylor", score=_score, needs_statistics=True)
