"""Fronts and hypervolume against brute force, and against a second library."""

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.studies.reporting.pareto import hypervolume, hypervolume_history, pareto_front

coordinates = st.integers(0, 6).map(float)
points = st.lists(st.tuples(coordinates, coordinates), max_size=12)


@given(points)
def test_the_front_holds_what_nothing_beats(cloud: list[tuple[float, float]]) -> None:
    front = [cloud[i] for i in pareto_front(cloud)]
    for p in set(cloud):
        beaten = any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in cloud)
        assert (p in front) is not beaten
    assert len(front) == len(set(front))
    assert front == sorted(front, reverse=True)


@given(points, st.tuples(coordinates, coordinates))
def test_hypervolume_is_the_number_of_dominated_cells(
    cloud: list[tuple[float, float]], reference: tuple[float, float]
) -> None:
    cells = sum(
        any(x >= i + 1 and y >= j + 1 for x, y in cloud)
        for i in range(int(reference[0]), 6)
        for j in range(int(reference[1]), 6)
    )
    assert hypervolume(cloud, reference) == cells


@given(points)
def test_the_history_ends_with_the_hypervolume_and_never_falls(cloud: list[tuple[float, float]]) -> None:
    history = hypervolume_history(cloud, (1.0, 2.0))
    assert len(history) == len(cloud)
    assert history == sorted(history)
    assert all(value == hypervolume(cloud[: i + 1], (1.0, 2.0)) for i, value in enumerate(history))


@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_is_that_of_moocore(seed: int) -> None:
    cloud = np.random.default_rng(seed).random((60, 2))
    for reference in ((0.0, 0.0), (0.3, 0.8), (1.0, 1.0)):
        theirs = moocore.hypervolume(cloud, ref=reference, maximise=True)
        assert hypervolume([(x, y) for x, y in cloud.tolist()], reference) == pytest.approx(theirs)
