"""Effect sizes by hand, and how often their intervals hold the truth."""

import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from primesvt.studies.reporting.effects import improvement, lead
from primesvt.studies.reporting.significance import NONE_FOUND, Sample


def drawn(*values: float) -> Sample:
    return Sample("drawn", values, deterministic=False)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_probability_of_improvement_counts_pairs() -> None:
    # Of six pairs three are won and one is level.
    estimate = improvement(drawn(1, 2, 3), drawn(1, 2.5), rng())
    assert estimate.value == pytest.approx(3.5 / 6)
    assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    reverse = improvement(drawn(1, 2.5), drawn(1, 2, 3), rng())
    assert reverse.value == pytest.approx(1 - estimate.value)


def test_what_found_nothing_loses_against_what_found_something_and_is_level_with_itself() -> None:
    nothing = drawn(NONE_FOUND, NONE_FOUND)
    assert improvement(drawn(0.1, 0.2), nothing, rng()).value == 1
    assert improvement(nothing, nothing, rng()).value == 0.5
    assert lead(nothing, nothing, rng()).value == 0
    estimate = lead(drawn(0.1, 0.2), nothing, rng())
    assert (estimate.value, estimate.low, estimate.high) == (math.inf,) * 3
    assert lead(drawn(0.1, 0.2, 0.3), drawn(NONE_FOUND, 0.1, 0.1), rng()).high == math.inf


def test_a_sampler_that_draws_nothing_is_not_drawn_again() -> None:
    fixed = Sample("fixed", (2.0, 2.0), deterministic=True)
    estimate = lead(fixed, Sample("other", (1.5,), deterministic=True), rng())
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.5, 0.5)
    assert improvement(fixed, drawn(1, 3), rng()).value == 0.5


def test_the_lead_is_that_of_medians() -> None:
    values = (1.0, 2.0, 9.0, 4.0, 3.0, 7.0)
    estimate = lead(drawn(*values), Sample("fixed", (1.0,), deterministic=True), rng())
    assert estimate.value == 2.5
    theirs = bootstrap((values,), np.median, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert (estimate.low, estimate.high) == pytest.approx((theirs.low - 1, theirs.high - 1), abs=0.5)


def test_the_interval_of_twenty_seeds_holds_the_truth_as_often_as_it_should() -> None:
    draw, truth = np.random.default_rng(3), 0.5
    inside = 0
    for _ in range(100):
        first, second = draw.normal(size=(2, 20))
        estimate = improvement(drawn(*first.tolist()), drawn(*second.tolist()), draw)
        inside += estimate.low <= truth <= estimate.high
    assert 0.90 <= inside / 100 <= 0.99
