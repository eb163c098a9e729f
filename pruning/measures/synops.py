"""Synaptic operations for one image: every spike, times the weights that it is added up with.

A spike into a convolution or linear layer causes an addition for each of that layer's weights which it meets: for every
filter of its group, and every window that it lies in (fewer at the border). A shortcut that adds spikes passes them all
on, so that a sum of two spikes drives what reads it twice. Attention's products of spikes count, too: of value and key,
wherever both fire for a token; of that and the query, a column for every spike of the query. A sum of spikes over
tokens or channels adds each of them. See :mod:`primesvt.models.engine.probes`, where they are counted.
"""

from torch import nn

from primesvt.models import Work

from .measure import Measure


def _synops(work: Work) -> float:
    return work.synops


def _steps(_model: nn.Module, work: Work) -> str:
    return f"by time step {', '.join(f'{step:,.0f}' for step in work.synops_by_step)}"


SYNOPS = Measure(name="synops", label="synaptic operations", unit="", of_work=_synops, note=_steps)
