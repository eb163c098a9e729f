"""From weights to the smallest step along them that is enough."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.search.ray import along

LEVELS = tuple(round(0.1 * at, 9) for at in range(10))
SHARES = {"a": 0.5, "b": 0.3, "c": 0.2}


def saved(ratios: Mapping[str, float]) -> float:
    return sum(SHARES[layer] * ratio for layer, ratio in ratios.items())


@pytest.mark.parametrize(
    ("weights", "target", "plan"),
    [
        ((1.0, 1.0, 1.0), 0.25, {"a": 0.3, "b": 0.3, "c": 0.3}),
        ((1.0, 0.5, 0.0), 0.26, {"a": 0.4, "b": 0.2}),
        ((0.2, 0.1, 0.0), 0.26, {"a": 0.4, "b": 0.2}),
        ((0.0, 0.0, 1.0), 0.10, {"c": 0.5}),
        ((0.0, 0.0, 1.0), 0.24, {"a": 0.1, "b": 0.1, "c": 0.9}),
        ((0.0, 0.0, 0.0), 0.25, {"a": 0.3, "b": 0.3, "c": 0.3}),
        ((1.0, 1.0, 1.0), 0.00, {}),
        ((1.0, 0.0, 0.0), 0.99, {"a": 0.9, "b": 0.9, "c": 0.9}),
    ],
)
def test_the_first_plan_along_the_weights(weights: tuple[float, ...], target: float, plan: dict[str, float]) -> None:
    found = along(dict(zip(SHARES, weights, strict=True)), LEVELS, lambda ratios: saved(ratios) >= target - 1e-9)
    assert found == plan


@given(st.tuples(*[st.floats(0, 1)] * 3), st.floats(0, 0.9))
def test_it_is_enough_and_one_level_less_of_every_layer_is_not(weights: tuple[float, ...], target: float) -> None:
    found = along(dict(zip(SHARES, weights, strict=True)), LEVELS, lambda ratios: saved(ratios) >= target - 1e-9)
    assert saved(found) >= target - 1e-9
    less = {layer: LEVELS[LEVELS.index(ratio) - 1] for layer, ratio in found.items()}
    assert not found or saved(less) < target
    assert set(found.values()) <= set(LEVELS)
