"""Memory saved against a further objective."""

from dataclasses import replace

from primesvt.pruning import measure_named
from primesvt.search import Goals
from primesvt.studies.reporting.figures import further

from ..comparisons import comparison, plan, study


def test_points_within_the_limits_and_their_front() -> None:
    (energy,) = Goals.of([measure_named("energy")]).objectives[2:]
    one = study("tpe", 0, plan("", 0.4, 1.0))
    history = replace(
        one.history,
        numbers=(0, 1, 2, 3),
        points=((0.2, 0.9), (0.3, 0.8), (0.4, 0.9), (0.1, 0.9)),
        feasible=(True, True, True, False),
        measures={"energy": (5.0, 7.0, 6.0, 1.0)},
    )
    shown = comparison([replace(one, history=history)])
    shown = replace(shown, baseline=replace(shown.baseline, measures={"energy": 9.0}))
    unpruned, markers, front = further(shown, energy).data
    assert (unpruned.x, unpruned.y) == ((0,), (9,))
    assert (markers.x, markers.y) == ((20, 30, 40), (5, 7, 6))
    # 30 % with 7 µJ is worse than 40 % with 6; the plan with 1 µJ misses a limit.
    assert (front.x, front.y) == ((20, 40), (5, 6))
