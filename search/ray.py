"""From weights of the layers to a plan of a wanted size: the smallest step along the weights that is enough."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

# A layer without a weight is pruned when all others are pruned as far as they can be.
_LEAST = 1e-3
# Products of weights and steps are a little below the level that they mean.
_CLOSE = 1e-9


def along(
    weights: Mapping[str, float], levels: Sequence[float], enough: Callable[[Mapping[str, float]], bool]
) -> dict[str, float]:
    """The first plan that is enough, where the layers' ratios grow in proportion to weights, each to its largest level.

    Ratios are rounded down to levels, so the plan changes at as many places as there are levels of layers; the first
    that is enough is found by bisection, as more is removed at every place.

    Args:
        weights: Of every layer, at least 0; all alike where none is above 0.
        levels: The ratios to choose from, ascending from 0.
        enough: Whether a plan, its ratios above 0 by layer, saves what it shall save.

    Returns:
        Ratios above 0, by layer; every layer at the largest level where nothing is enough.
    """
    grid, given = np.array(levels), np.array(list(weights.values()), dtype=np.float64)
    most = given.max(initial=0.0)
    speeds = np.maximum(given / most if most > 0 else np.ones_like(given), _LEAST * grid[1:].min(initial=1.0))
    places = np.unique(np.outer(1 / speeds, grid[1:]))

    def plan(place: float) -> dict[str, float]:
        chosen = grid[np.searchsorted(grid, place * speeds + _CLOSE, side="right") - 1]
        return {layer: float(ratio) for layer, ratio in zip(weights, chosen, strict=True) if ratio > 0}

    if enough({}):
        return {}
    low, high = 0, len(places) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(plan(places[middle])) else (middle + 1, high)
    return plan(places[low])
