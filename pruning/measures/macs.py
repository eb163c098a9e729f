"""Multiplications with an addition for one image, of the layers that read real numbers.

These are the first convolution, which reads the image; layers that read membrane potentials or means, such as most
classifiers; and whatever follows a layer without a neuron between. A layer has as many as it has weights in a window,
times windows, padding and all. What is the same for every time step, as behind a static image, is computed once.
"""

from primesvt.models import Work

from .measure import Measure


def _macs(work: Work) -> float:
    return work.macs


MACS = Measure(name="macs", label="multiply-accumulates", unit="", of_work=_macs)
