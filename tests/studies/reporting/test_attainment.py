"""Attainment fronts against counting, and against a second library."""

import math

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.studies.reporting.attainment import attainment

coordinates = st.integers(0, 5).map(float)
fronts = st.lists(st.lists(st.tuples(coordinates, coordinates), max_size=6), min_size=1, max_size=5)


def attains(points: list[tuple[float, float]], x: float, y: float) -> bool:
    return any(a >= x and b >= y for a, b in points)


def test_two_fronts_by_hand() -> None:
    wide, high = [(3.0, 1.0)], [(1.0, 4.0)]
    assert attainment([wide, high], 0.5) == [(3.0, 1.0), (1.0, 4.0)]
    # Both attain what is left of and below both.
    assert attainment([wide, high], 1.0) == [(1.0, 1.0)]


def test_a_study_that_found_nothing_counts() -> None:
    assert attainment([[(1.0, 1.0)], []], 0.5) == [(1.0, 1.0)]
    assert attainment([[(1.0, 1.0)], []], 0.51) == []
    # A third of three is one.
    assert attainment([[(1.0, 1.0)], [], []], 1 / 3) == [(1.0, 1.0)]


@given(fronts, st.sampled_from((0.25, 0.5, 0.75, 1.0)))
def test_a_point_is_attained_where_so_many_fronts_attain_it(
    drawn: list[list[tuple[float, float]]], share: float
) -> None:
    surface = attainment(drawn, share)
    needed = math.ceil(share * len(drawn))
    for x in range(6):
        for y in range(6):
            assert attains(surface, x, y) == (sum(attains(front, x, y) for front in drawn) >= needed)
    assert surface == sorted(surface, reverse=True)
    assert len({x for x, _ in surface}) == len({y for _, y in surface}) == len(surface)


@pytest.mark.parametrize("seed", range(3))
def test_surfaces_are_those_of_moocore(seed: int) -> None:
    studies, size = 8, 20
    points = np.random.default_rng(seed).random((studies * size, 2))
    theirs = moocore.eaf(-points, np.repeat(np.arange(studies), size), percentiles=[25, 50, 75])
    ours = [[(x, y) for x, y in study.tolist()] for study in points.reshape(studies, size, 2)]
    for share in (0.25, 0.5, 0.75):
        rows = -theirs[theirs[:, 2] == 100 * share, :2]
        assert attainment(ours, share) == sorted(map(tuple, rows.tolist()), reverse=True)


@pytest.mark.parametrize(("drawn", "share"), [([], 0.5), ([[(1.0, 1.0)]], 0.0), ([[(1.0, 1.0)]], 1.1)])
def test_no_front_and_no_share_are_refused(drawn: list[list[tuple[float, float]]], share: float) -> None:
    with pytest.raises(PrimeSVTError, match="share must be above 0 and at most 1, of at least one front; got"):
        attainment(drawn, share)
