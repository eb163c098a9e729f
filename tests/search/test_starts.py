"""What a study is told before its sampler chooses."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from primesvt.search import RATIOS, START, BudgetSpace
from primesvt.search.samplers import STARTS, make_sampler
from primesvt.search.samplers.nsga2 import NSGA2Options
from primesvt.search.starts import enqueue_next, start_plans

from .synthetic import DIRECTIONS, LAYERS, STORAGES, Landscape, Store, plans

LAND = Landscape(noise=1.0)
POLICY = {"large": 0.9, "middle": 0.6}
BUDGET = replace(
    LAND.problem,
    space=BudgetSpace(layers=LAYERS, step=0.1, max_ratio=0.9, cost=LAND.problem.cost, least=0.6),
)


def told(start: str, trials: int = 40) -> list[dict[str, float]]:
    return start_plans(start, LAND.problem, trials, lambda: POLICY)


def test_every_start_begins_with_the_unpruned_plan_but_none() -> None:
    assert told("none") == []
    assert all(told(start)[0] == {} for start in STARTS if start != "none")


def test_uniform_keeps_the_limit_of_memory_from_the_first_level_to_the_last() -> None:
    _, *levels = told("uniform")
    assert levels == [dict.fromkeys(LAYERS, level) for level in (0.6, 0.7, 0.8, 0.9)]
    assert told("uniform", trials=8)[1:] == [dict.fromkeys(LAYERS, level) for level in (0.6, 0.9)]


def test_probes_are_the_largest_layers_alone_as_far_as_a_quarter_of_the_trials_goes() -> None:
    assert told("probes")[1:] == [{layer: 0.6} for layer in LAYERS]
    assert told("probes", trials=8)[1:] == [{"large": 0.6}, {"middle": 0.6}]


def test_the_policy_is_its_last_plan() -> None:
    assert told("policy") == [{}, POLICY]


def test_a_budget_has_only_the_plans_that_save_enough() -> None:
    assert start_plans("policy", BUDGET, 40, lambda: POLICY) == [POLICY]
    assert start_plans("uniform", BUDGET, 40, lambda: POLICY) == told("uniform")[1:]


def begin(study: optuna.Study, start: str, trials: int) -> None:
    if START not in study.user_attrs:
        study.set_user_attr(START, told(start))
    for _ in range(trials):
        enqueue_next(study, LAND.space)
        study.optimize(LAND, n_trials=1)


@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("name", ["random", "tpe", "nsga2", "sensitivity"])
def test_the_start_comes_first_and_once_also_when_killed(
    name: str, kind: str, tmp_path: Path, dead_worker: str
) -> None:
    def sampler() -> optuna.samplers.BaseSampler:
        return make_sampler(name, LAND.problem, seed=3)

    whole = optuna.create_study(sampler=sampler(), directions=DIRECTIONS)
    begin(whole, "uniform", 9)
    start = [{layer: plan.get(layer, 0.0) for layer in LAYERS} for plan in told("uniform")]
    assert plans(whole)[: len(start)] == start
    assert [t.user_attrs.get(START) for t in whole.trials] == [*range(len(start)), *[None] * 4]

    store = Store(kind, tmp_path)
    for done in range(9):
        study = store.study(sampler())
        if done == 2:
            enqueue_next(study, LAND.space) if START in study.user_attrs else None
            study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
        begin(study, "uniform", 1)
    assert plans(study) == plans(whole)


def test_nsga2_counts_what_it_was_told_as_its_first_generation() -> None:
    options = NSGA2Options(population=6, redraws=0)
    study = optuna.create_study(sampler=make_sampler("nsga2", LAND.problem, options, seed=3), directions=DIRECTIONS)
    begin(study, "uniform", 12)
    generations = [t.system_attrs["NSGAIISampler:generation"] for t in study.trials]
    assert generations == [0] * 6 + [1] * 6


def test_in_a_budget_the_told_plan_is_the_one_tried() -> None:
    study = optuna.create_study(sampler=make_sampler("tpe", BUDGET, seed=3), directions=DIRECTIONS)
    study.set_user_attr(START, [POLICY])
    enqueue_next(study, BUDGET.space)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        plan = BUDGET.space.suggest(trial).ratios
        return LAND.saving(plan), -LAND.drop(plan)

    study.optimize(objective, n_trials=1)
    assert study.trials[0].user_attrs[RATIOS] == {"large": 0.9, "middle": 0.6, "small": 0.0}
