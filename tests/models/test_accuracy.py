"""Accuracies and their intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from primesvt.models import Accuracy, PrimeSVTError, wilson


def test_an_accuracy_is_told_with_its_images_and_its_interval() -> None:
    told = Accuracy(right=3, images=4).told()
    assert told == {"accuracy": 0.75, "images": 4, "interval": list(wilson(3, 4))}
    assert told["interval"][0] < 0.75 < told["interval"][1]


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (5, 10, 0.236593, 0.763407),
        (9_000, 10_000, 0.893966, 0.905727),
        (1, 1, 0.206549, 1.0),
    ],
)
def test_wilson_by_hand(right: int, count: int, low: float, high: float) -> None:
    assert wilson(right, count) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_is_that_of_scipy(count: int, share: float, confidence: float) -> None:
    right = round(share * count)
    theirs = binomtest(right, count).proportion_ci(confidence, method="wilson")
    ours = wilson(right, count, confidence)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours[0] <= right / count <= ours[1] <= 1


@pytest.mark.parametrize(("right", "count"), [(0, 0), (-1, 5), (6, 5), (0, -1)])
def test_no_interval_of_nothing(right: int, count: int) -> None:
    with pytest.raises(PrimeSVTError, match=f"No 95% interval of {right} in {count}"):
        wilson(right, count)
