"""What an error model leaves out, interpolated: right where plans were measured, silent far away."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from primesvt.search.error_model import ErrorModel, Observation
from primesvt.search.misfit import Misfit

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 5), st.integers(2, 40))
def test_it_is_what_was_measured_there_and_nothing_far_away(seed: int, layers: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    plans = rng.uniform(0, 0.3, (count, layers))
    # Smooth, and larger than any noise.
    residuals = 0.3 * np.cos(plans.sum(1))
    misfit = Misfit(plans, residuals)
    assert np.abs(misfit(plans) - residuals).max() < 0.1
    assert np.abs(misfit(np.full((1, layers), 0.99999)))[0] < np.abs(residuals).max()


def test_without_a_measured_plan_it_says_nothing() -> None:
    assert Misfit(np.zeros((0, 3)), np.zeros(0))(np.ones((2, 3))).tolist() == [0.0, 0.0]


def test_noise_without_a_pattern_is_taken_for_noise() -> None:
    rng = np.random.default_rng(0)
    plans, residuals = rng.uniform(0, 0.9, (60, 6)), 0.05 * rng.standard_normal(60)
    assert np.abs(Misfit(plans, residuals)(rng.uniform(0, 0.9, (200, 6)))).mean() < 0.03


def observed(plan: dict[str, float], divergence: float | None) -> Observation:
    return Observation(ratios=plan, drop=1.0, divergence=divergence, images=10**6)


def test_layers_that_do_harm_together_are_found_out() -> None:
    """Alone they diverge little; together, as no sum of theirs does: only plans near that one are known to."""
    kinds = {"a": "x", "b": "x", "c": "y"}
    alone = [observed({layer: ratio}, 0.01 * ratio) for layer in kinds for ratio in (0.3, 0.5, 0.7)]
    together = [observed({"a": ratio, "b": ratio}, 0.5) for ratio in (0.45, 0.5, 0.55)]
    misfit = ErrorModel(kinds, [*alone, *together]).misfit()
    near, apart, none = misfit(np.array([[0.5, 0.52, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.9]]))
    assert near > 0.1
    assert apart < near / 2
    assert abs(none) < near / 2


def test_whatever_curves_are_drawn_near_a_measured_plan_holds_what_was_measured() -> None:
    kinds = {"a": "x", "b": "y"}
    plan = np.array([[0.4, 0.2]])
    seen = [observed({"a": 0.4, "b": 0.2}, 0.05), observed({"a": 0.8}, 0.2), observed({"b": 0.8}, 0.1)]
    model, draws = ErrorModel(kinds, seen), np.random.default_rng(0)
    for _ in range(5):
        draw = draws.standard_normal(model.size)
        said = model._explained(model._numbers(draw))[0][0]
        assert abs(said + model.misfit(draw)(plan)[0] - np.log(0.05)) < max(0.15, 0.5 * abs(said - np.log(0.05)))


def test_plans_whose_divergence_is_unknown_are_left_out() -> None:
    model = ErrorModel({"a": "x"}, [observed({"a": 0.5}, None), observed({"a": 0.25}, 0.1)])
    assert model.misfit().plans.tolist() == [[0.25]]
