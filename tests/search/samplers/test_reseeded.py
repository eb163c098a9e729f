"""Optuna's samplers, with draws that an interruption does not change."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import optuna
import pytest
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from primesvt.search import Constraints
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.samplers import ReseededSampler, make_sampler
from primesvt.search.samplers.nsga2 import NSGA2Options
from primesvt.search.workers import WORKER

from ..synthetic import DIRECTIONS, STORAGES, Landscape, Store, plans

MAKERS: dict[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True, n_startup_trials=0),
    "nsga2": lambda seed: NSGAIISampler(seed=seed, population_size=4),
    "gp": lambda seed: GPSampler(seed=seed),
}


class TestContract(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    """Optuna's own suites for every sampler."""

    @pytest.fixture(params=list(MAKERS))
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        return lambda: ReseededSampler(MAKERS[request.param], seed=0)


class TestRelativeContract(RelativeSamplerTestCase):
    """Only of those samplers that propose all parameters together from the first trial on."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: ReseededSampler(MAKERS["tpe"], seed=0)


# Name and number of trials: enough for the sampler to do more than to draw at random.
LENGTHS = {"random": 12, "tpe": 16, "nsga2": 20, "gp": 13}


def own(name: str, land: Landscape, seed: int = 3) -> BaseSampler:
    # Two generations and a half.
    options = NSGA2Options(population=8) if name == "nsga2" else None
    return make_sampler(name, land.problem, options, seed=seed)


@cache
def uninterrupted(name: str, seed: int = 3) -> list[dict[str, float]]:
    land = Landscape(noise=1.0)
    study = optuna.create_study(sampler=own(name, land, seed), directions=DIRECTIONS)
    study.optimize(land, n_trials=LENGTHS[name])
    return plans(study)


@pytest.mark.parametrize("name", LENGTHS)
def test_same_seed_same_trials_and_another_seed_others(name: str) -> None:
    first = uninterrupted(name)
    assert first == uninterrupted.__wrapped__(name)
    assert first != uninterrupted(name, seed=4)
    assert len({tuple(plan.values()) for plan in first}) > len(first) / 2, "draws repeat"


def test_parameters_of_a_trial_are_drawn_apart() -> None:
    """A generator made anew for every parameter would draw the same quantile for all."""
    assert any(len(set(plan.values())) > 1 for plan in uninterrupted("random")[:3])


def _fail(land: Landscape, study: optuna.Study) -> None:
    def interrupted(trial: optuna.Trial) -> tuple[float, float]:
        land.space.suggest(trial)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.optimize(interrupted, n_trials=1)


def _kill(land: Landscape, study: optuna.Study, worker: str) -> None:
    trial = study.ask()
    land.space.suggest(trial)
    write_system_attr(study, study.trials[-1], WORKER, worker)


@pytest.mark.parametrize("kind", STORAGES)
@pytest.mark.parametrize("name", LENGTHS)
def test_interrupted_and_resumed_equals_uninterrupted(name: str, kind: str, tmp_path: Path, dead_worker: str) -> None:
    expected = uninterrupted(name)
    store, land = Store(kind, tmp_path), Landscape(noise=1.0)
    done = 0
    for until in (1, 5, 11, LENGTHS[name] - 1, LENGTHS[name]):
        study = store.study(own(name, land))
        study.optimize(land, n_trials=until - done)
        done = until
        if until == LENGTHS[name]:
            break
        _fail(land, study)
        _kill(land, store.study(own(name, land)), dead_worker)
    assert plans(study) == expected


def test_killed_at_any_trial(tmp_path: Path, dead_worker: str) -> None:
    expected = uninterrupted("random")
    for k in range(len(expected)):
        store, land = Store("memory", tmp_path), Landscape(noise=1.0)
        study = store.study(own("random", land))
        if k:
            study.optimize(land, n_trials=k)
        _fail(land, study)
        _kill(land, study, dead_worker)
        study = store.study(own("random", land))
        study.optimize(land, n_trials=len(expected) - k)
        assert plans(study) == expected


def test_a_place_given_back_is_taken_once() -> None:
    """Trial 0 fails after trial 1 has begun: the next trial is trial 0 again, and none is drawn twice."""
    expected = uninterrupted("random")
    land = Landscape(noise=1.0)
    study = optuna.create_study(sampler=own("random", land), directions=DIRECTIONS)
    first, second = study.ask(), study.ask()
    land.space.suggest(first)
    land.space.suggest(second)
    study.tell(first, state=TrialState.FAIL)
    study.tell(second, [0.0, 0.0])
    for _ in range(3):
        trial = study.ask()
        land.space.suggest(trial)
        study.tell(trial, [0.0, 0.0])
    assert plans(study) == [expected[1], expected[0], expected[2], expected[3]]


def test_threads_draw_what_one_would() -> None:
    land = Landscape(noise=1.0)
    study = optuna.create_study(sampler=own("random", land), directions=DIRECTIONS)
    trials = [study.ask() for _ in range(4)]
    # In turn, parameter by parameter, as threads do.
    for layer in land.shares:
        for trial in trials:
            trial.suggest_float(layer, 0.0, 0.9, step=0.1)
    assert [dict(trial.params) for trial in trials] == uninterrupted("random")[:4]


def test_two_studies_with_one_sampler_draw_alike() -> None:
    land = Landscape(noise=1.0)
    sampler = own("random", land)
    studies = [optuna.create_study(study_name="s", sampler=sampler, directions=DIRECTIONS) for _ in range(2)]
    for study in studies:
        study.optimize(land, n_trials=4)
    assert plans(studies[0]) == plans(studies[1])


@pytest.mark.parametrize("name", ["tpe", "nsga2", "gp"])
def test_the_constraints_are_seen(name: str) -> None:
    """Late trials keep the limits more often than draws at random do."""
    limits = Constraints(max_drop=1.0, min_saving=0.3)
    length = {"tpe": 60, "nsga2": 400, "gp": 25}[name]

    def feasible(sampler: str) -> float:
        land = Landscape(constraints=limits)
        study = optuna.create_study(sampler=own(sampler, land), directions=DIRECTIONS)
        study.optimize(land, n_trials=length)
        late = study.trials[length // 2 :]
        return sum(all(v <= 0 for v in t.constraints.values()) for t in late) / len(late)

    assert feasible(name) > 1.5 * feasible("random")


def test_same_seed_in_a_fresh_process() -> None:
    script = """
import json, optuna
from primesvt.search import Constraints, Goals, SearchSpace
from primesvt.search.samplers import Problem, make_sampler
space = SearchSpace(layers=("a", "b"), step=0.1, max_ratio=0.9)
problem = Problem(space=space, constraints=Constraints(), saving=lambda plan: sum(plan.ratios.values()) / 2)
result = {}
for name, count in (("random", 5), ("tpe", 14), ("nsga2", 55), ("gp", 12)):
    study = optuna.create_study(sampler=make_sampler(name, problem, seed=7), directions=Goals().directions)
    def objective(trial):
        plan = space.suggest(trial).ratios
        trial.set_constraint("accuracy_drop", sum(plan.values()) - 1)
        trial.set_constraint("memory_saving", 0.2 - plan.get("a", 0.0))
        return plan.get("a", 0.0), -plan.get("b", 0.0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study.optimize(objective, n_trials=count)
    result[name] = [t.params for t in study.trials]
"""
    here: dict[str, object] = {}
    exec(script, here)  # noqa: S102
    there = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script + "print(json.dumps(result))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(there.stdout) == here["result"]
