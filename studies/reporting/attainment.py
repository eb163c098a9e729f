"""Which trade-offs a sampler attains in which share of its studies: its fronts over seeds, as one line or band.

The empirical attainment function says of every point in how many of the fronts some point is at least as good in both
objectives; its level sets are again fronts, of which that at one half is the median front (V. Grunert da Fonseca,
C. M. Fonseca, A. O. Hall, *Inferential performance assessment of stochastic optimisers and the attainment function*,
EMO 2001, doi:10.1007/3-540-44719-9_15). A study whose front is empty attains nothing, and counts.
"""

import math
from collections.abc import Sequence

from primesvt.models import PrimeSVTError

from .pareto import Point, pareto_front

_NOTHING = -math.inf


def attainment(fronts: Sequence[Sequence[Point]], share: float) -> list[Point]:
    """The best points that at least a share of the fronts attain, by the first objective from large to small.

    In two dimensions: as far along the first objective as each point, the second that so many fronts attain there is
    the so-manieth largest of the fronts' best.

    Args:
        fronts: Points of each study, both objectives maximized; dominated points do no harm.
        share: Of the studies, above 0, at most 1; 0.5 is the median front.

    Raises:
        PrimeSVTError: There is no front, or no such share.
    """
    if not fronts or not 0 < share <= 1:
        raise PrimeSVTError(
            f"share must be above 0 and at most 1, of at least one front; got {share} of {len(fronts)}."
        )
    # A third of three fronts is one, whatever its last digit.
    needed = math.ceil(round(share * len(fronts), 9))
    corners = []
    for saving in {x for front in fronts for x, _ in front}:
        best = sorted((max((y for x, y in front if x >= saving), default=_NOTHING) for front in fronts), reverse=True)
        if best[needed - 1] > _NOTHING:
            corners.append((saving, best[needed - 1]))
    return [corners[i] for i in pareto_front(corners)]
