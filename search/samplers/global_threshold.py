"""One threshold over all layers: channels go whose score is below it, wherever they are.

The scores of a layer are divided by their mean first, as layers differ in scale: P. Molchanov et al., *Pruning
Convolutional Neural Networks for Resource Efficient Inference*, ICLR 2017, arXiv:1611.06440. There are as many
thresholds as there are ratios: that of the ratio 0.3 would remove 30 % of the channels of all layers together, if the
layers' ratios were not rounded to the grid of the search.
"""

from collections.abc import Mapping

import numpy as np

from primesvt.models import PrimeSVTError

from ..space import SearchSpace
from .kind import Problem
from .ladder import ladder_kind


def thresholded(scores: Mapping[str, np.ndarray], space: SearchSpace) -> list[dict[str, float]]:
    """The plan of every threshold, the lowest first.

    Args:
        scores: Of every layer's channels, at least 0, float64 ``[C]``, by layer.
        space: Ratios are rounded to its levels.
    """
    relative = {layer: own / (own.mean() or 1.0) for layer, own in scores.items()}
    thresholds = np.quantile(np.concatenate(list(relative.values())), space.levels[1:])
    return [{layer: _rounded((own < bound).mean(), space) for layer, own in relative.items()} for bound in thresholds]


def _rounded(ratio: float, space: SearchSpace) -> float:
    return min(space.levels, key=lambda level: abs(level - ratio))


def _plans(problem: Problem) -> list[dict[str, float]]:
    scores = problem.scores
    if scores is None:
        raise PrimeSVTError("The sampler global needs the scores of the channels; give the problem some.")
    return thresholded({layer: scores(layer) for layer in problem.space.layers}, problem.space)


GLOBAL = ladder_kind("global", "one threshold for the channels of all layers", _plans)
