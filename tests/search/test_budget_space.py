"""Targets and weights instead of ratios."""

from collections.abc import Mapping
from dataclasses import replace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.pruning import Pruner
from primesvt.search import RATIOS, BudgetSpace, SearchSpace, ratios_of
from primesvt.search.allocation import CostOfSaving
from primesvt.search.samplers import make_sampler

from .models import tiny_model
from .synthetic import DIRECTIONS, LAYERS, Landscape

LAND = Landscape()
SPACE = BudgetSpace(layers=LAYERS, step=0.1, max_ratio=0.9, cost=CostOfSaving(LAND.saving), least=0.3)
GRID = LAND.space


def trial_of(space: SearchSpace, parameters: Mapping[str, float]) -> optuna.trial.FrozenTrial:
    trial = optuna.trial.create_trial(
        params=dict(parameters), distributions=dict(space.distributions), values=[0.0, 0.0]
    )
    space.suggest(trial)
    return trial


@given(st.floats(0.3, 0.9), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_every_plan_saves_its_target_on_the_grid(target: float, weights: list[float]) -> None:
    parameters = {"saving": target, **dict(zip((f"weight:{layer}" for layer in LAYERS), weights, strict=True))}
    ratios = SPACE.ratios(parameters)
    assert LAND.saving(ratios) >= target - 1e-6
    assert set(ratios.values()) <= set(GRID.levels)
    less = {layer: GRID.levels[GRID.levels.index(ratio) - 1] for layer, ratio in ratios.items()}
    assert LAND.saving(less) < target


@given(st.lists(st.sampled_from(GRID.levels), min_size=3, max_size=3))
def test_a_plan_that_saves_enough_is_read_back(chosen: list[float]) -> None:
    ratios = {layer: ratio for layer, ratio in zip(LAYERS, chosen, strict=True) if ratio > 0}
    again = SPACE.ratios(SPACE.parameters(ratios))
    if LAND.saving(ratios) >= 0.3:
        assert again == ratios
    else:
        assert LAND.saving(again) >= 0.3 - 1e-6
    assert GRID.ratios(GRID.parameters(ratios)) == ratios


def test_the_target_goes_from_the_limit_to_all_that_can_be_saved() -> None:
    target, *weights = SPACE.distributions.values()
    assert (target.low, target.high) == (0.3, 0.9)
    assert [(weight.low, weight.high) for weight in weights] == [(0.0, 1.0)] * 3
    assert list(SPACE.distributions) == ["saving", "weight:large", "weight:middle", "weight:small"]


def test_a_trial_says_its_ratios_and_any_space_of_these_layers_reads_them() -> None:
    parameters = {"saving": 0.44, "weight:large": 1.0, "weight:middle": 0.0, "weight:small": 0.0}
    trial = trial_of(SPACE, parameters)
    assert trial.user_attrs[RATIOS] == {"large": 0.9, "middle": 0.0, "small": 0.0}
    assert SPACE.plan_of(trial) == GRID.plan_of(trial) == GRID.plan({"large": 0.9})
    assert ratios_of(trial_of(GRID, {"large": 0.1, "middle": 0.0, "small": 0.2}))["small"] == 0.2


def test_on_a_model_the_bytes_are_the_smallest_along_the_weights(family: str) -> None:
    model = tiny_model(family)
    pruner = Pruner(model)
    layers = tuple(pruner.counter("l2").groups)[:4]
    space = BudgetSpace(layers=layers, step=0.25, max_ratio=0.75, cost=pruner.counter("l2"), least=0.01)
    target = space.distributions["saving"].high
    for part in (0.2, 0.5, 1.0):
        draw = {"saving": part * target, **{f"weight:{layer}": (at + 1) / 4 for at, layer in enumerate(layers)}}
        assert pruner.saving(space.plan(space.ratios(draw))) >= part * target - 1e-9


@pytest.mark.parametrize("name", ["random", "tpe", "nsga2"])
def test_samplers_draw_in_it_and_every_plan_keeps_the_limit_of_memory(name: str) -> None:
    problem = replace(LAND.problem, space=SPACE)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        plan = SPACE.suggest(trial).ratios
        trial.set_constraint("accuracy_drop", LAND.drop(plan) - 3)
        return LAND.saving(plan), -LAND.drop(plan)

    study = optuna.create_study(sampler=make_sampler(name, problem, seed=1), directions=DIRECTIONS)
    study.optimize(objective, n_trials=14)
    assert all(t.values[0] >= 0.3 for t in study.trials)
    assert len({tuple(t.user_attrs[RATIOS].items()) for t in study.trials}) > 7
