"""Rows of plans: Optuna's contract, halving first, everything once, an end, and no memory but the study's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from primesvt.models import PrimeSVTError
from primesvt.search import Constraints, SearchSpace
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.samplers import LadderSampler, make_sampler, sampler_kind
from primesvt.search.samplers.global_threshold import thresholded
from primesvt.search.workers import WORKER

from ..synthetic import DIRECTIONS, LAYERS, STORAGES, Landscape, Store, plans


def own(land: Landscape) -> LadderSampler:
    sampler = make_sampler("uniform", land.problem, seed=0)
    assert isinstance(sampler, LadderSampler)
    return sampler


class TestContract(BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase):
    """Optuna's own suites. Their parameters are none of the layers, so the sampler has to draw them."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: own(Landscape())


def ratios_tried(study: optuna.Study) -> list[float]:
    assert all(len(set(plan.values())) == 1 for plan in plans(study))
    return [plan["large"] for plan in plans(study)]


def test_it_halves_the_row_until_the_limit_is_known_then_takes_the_rest_and_ends() -> None:
    land = Landscape()  # 14 points at a ratio of 1: 0.4 loses 2.2, 0.5 loses 3.5
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    study.optimize(land, n_trials=100)
    assert ratios_tried(study) == [0.5, 0.2, 0.3, 0.4, 0.6, 0.7, 0.1, 0.8, 0.9]
    assert own(land).result(study) == dict.fromkeys(LAYERS, 0.4)
    assert {t.user_attrs["phase"] for t in study.trials} == {"uniform"}
    assert sampler_kind("uniform").trials(land.problem, None) == 9


def test_a_study_that_is_over_measures_nothing_more_and_says_so() -> None:
    land = Landscape()
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    study.optimize(land, n_trials=8)
    assert own(land).result(study) is None
    study.optimize(land, n_trials=5)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 9
    study.optimize(land, n_trials=5)
    assert len(land.asked) == 9
    assert study.trials[9].state == TrialState.PRUNED


@given(st.floats(0.01, 30), st.floats(0, 5), st.integers(0, 1000))
def test_every_plan_once_whatever_they_lose(limit: float, noise: float, seed: int) -> None:
    land = Landscape(noise=noise, seed=seed, constraints=Constraints(max_drop=limit, min_saving=0))
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    study.optimize(land, n_trials=100)
    tried = ratios_tried(study)
    assert sorted(tried) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    kept = [ratio for ratio, plan in zip(tried, plans(study), strict=True) if land.drop(plan) <= limit]
    result = own(land).result(study)
    assert result == (dict.fromkeys(LAYERS, max(kept)) if kept else {})


@pytest.mark.parametrize("kind", STORAGES)
def test_killed_at_any_trial_it_goes_on_with_the_same_trials(kind: str, tmp_path: Path, dead_worker: str) -> None:
    land = Landscape()
    whole = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    whole.optimize(land, n_trials=100)
    store = Store(kind, tmp_path)
    for _ in range(9):
        study = store.study(own(land))
        trial = study.ask()
        land.space.suggest(trial)
        write_system_attr(study, study.trials[-1], WORKER, dead_worker)
        study = store.study(own(land))
        study.optimize(land, n_trials=1)
    assert plans(study) == plans(whole)


def test_workers_take_different_plans() -> None:
    land = Landscape()
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    tried = [land.space.suggest(study.ask()).ratios["large"] for _ in range(9)]
    assert sorted(tried) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_global_removes_the_channels_that_are_smallest_beside_their_layers_mean() -> None:
    space = SearchSpace(layers=("even", "uneven"), step=0.25, max_ratio=0.75)
    scores = {"even": np.array([9.0, 10, 10, 11]), "uneven": np.array([0.1, 0.11, 0.12, 0.5])}
    assert thresholded(scores, space) == [
        {"even": 0.0, "uneven": 0.5},
        {"even": 0.25, "uneven": 0.75},
        {"even": 0.75, "uneven": 0.75},
    ]


def test_global_takes_layers_without_any_weight_whole_as_far_as_the_space_goes() -> None:
    space = SearchSpace(layers=("dead", "alive"), step=0.3, max_ratio=0.9)
    plans = thresholded({"dead": np.zeros(4), "alive": np.arange(1.0, 5.0)}, space)
    assert plans[-1]["dead"] == 0.9


def test_global_without_scores_is_refused() -> None:
    with pytest.raises(PrimeSVTError, match="sampler global needs the scores"):
        make_sampler("global", Landscape().problem, seed=0)
