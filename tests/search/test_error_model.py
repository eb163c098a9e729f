"""What the model learns from plans of many layers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.search.error_model import ErrorModel, Observation

LEVELS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
KINDS = {f"{kind}{at}": kind for kind in ("mlp", "attention", "stem") for at in range(3)}
# Points at a ratio of 1: layers of a kind are alike, and the stem is dear.
HARM = {"mlp": 2.0, "attention": 0.2, "stem": 40.0}


def drop(ratios: dict[str, float]) -> float:
    return sum(HARM[KINDS[layer]] * ratio**2 for layer, ratio in ratios.items())


def observed(ratios: dict[str, float], noise: float = 0.0) -> Observation:
    return Observation(ratios, drop(ratios) + noise, drop(ratios) / 30, 1000)


plans = st.dictionaries(st.sampled_from(sorted(KINDS)), st.sampled_from(LEVELS[1:]), min_size=1)


def test_without_plans_all_layers_of_a_kind_are_alike_and_the_stem_is_dear() -> None:
    drops = ErrorModel(KINDS, ()).drops(LEVELS)
    assert drops.shape == (9, 6)
    assert (drops[:, 0] == 0).all()
    assert np.allclose(drops[:6], drops[0])
    assert (drops[6:, 1:] > 2 * drops[:3, 1:]).all()


@given(st.lists(plans, max_size=6), st.integers(0, 99))
def test_drops_ascend_and_are_numbers(tried: list[dict[str, float]], seed: int) -> None:
    model = ErrorModel(KINDS, [observed(plan) for plan in tried])
    for draw in (None, np.random.default_rng(seed).standard_normal(model.size)):
        drops = model.drops(LEVELS, draw)
        assert np.isfinite(drops).all()
        assert (np.diff(drops, axis=1) >= 0).all()


def test_plans_of_many_layers_tell_kinds_apart() -> None:
    rng = np.random.default_rng(0)
    tried = [{layer: float(rng.choice(LEVELS)) for layer in KINDS} for _ in range(12)]
    model = ErrorModel(KINDS, [observed({k: v for k, v in plan.items() if v}) for plan in tried])
    drops = dict(zip(KINDS, model.drops(LEVELS)[:, 3], strict=True))
    for kind, harm in HARM.items():
        mean = np.mean([drops[layer] for layer in KINDS if KINDS[layer] == kind])
        assert harm / 4 / 6 < mean < harm / 4 * 6
    assert max(drops[f"attention{at}"] for at in range(3)) < min(drops[f"stem{at}"] for at in range(3)) / 10


def test_what_was_measured_is_predicted_and_what_is_like_it_too() -> None:
    alone = [observed({layer: 0.9}) for layer in KINDS if layer != "mlp2"]
    model = ErrorModel(KINDS, alone)
    drops = dict(zip(KINDS, model.drops(LEVELS)[:, -1], strict=True))
    for layer in KINDS:
        assert drops[layer] == pytest.approx(drop({layer: 0.9}), rel=0.6), layer
    before, after = (np.ptp([m.drops(LEVELS, z)[2, -1] for z in _draws(m)]) for m in (ErrorModel(KINDS, ()), model))
    assert after < before / 2, "what is known is drawn less widely"


def _draws(model: ErrorModel) -> list[np.ndarray]:
    return [np.random.default_rng(seed).standard_normal(model.size) for seed in range(20)]


def test_plans_that_lose_more_together_than_alone() -> None:
    alone = [observed({layer: 0.9}) for layer in ("mlp0", "mlp1", "mlp2")]
    together = dict.fromkeys(("mlp0", "mlp1", "mlp2"), 0.9)
    much = Observation(together, 3 * drop(together), 3 * drop(together) / 30, 1000)
    just = Observation(together, drop(together), drop(together) / 30, 1000)
    assert ErrorModel(KINDS, [*alone, much]).power > 1.15 * ErrorModel(KINDS, [*alone, just]).power
    for power in (ErrorModel(KINDS, alone).power, ErrorModel(KINDS, ()).power):
        assert power == pytest.approx(np.exp(0.25)), "plans of one layer say nothing of it"


@pytest.mark.parametrize("divergence", [None, 0.0, 1e9])
def test_odd_measurements(divergence: float | None) -> None:
    tried = [Observation({"mlp0": 0.5}, -1.0, divergence, 1), Observation({"mlp0": 0.9}, 100.0, divergence, 1)]
    assert np.isfinite(ErrorModel(KINDS, tried).drops(LEVELS)).all()


def test_the_same_plans_in_a_fresh_model_lead_to_the_same_numbers() -> None:
    tried = [observed({"mlp0": 0.5, "stem1": 0.1}), observed({"attention0": 0.9})]
    assert (ErrorModel(KINDS, tried).drops(LEVELS) == ErrorModel(dict(KINDS), list(tried)).drops(LEVELS)).all()
