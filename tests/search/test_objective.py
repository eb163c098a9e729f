"""What a trial returns and records."""

import json

import optuna
import pytest

from primesvt.models import DataSet, model_bytes
from primesvt.pruning import PruningPlan
from primesvt.search import DIRECTIONS, Constraints, Evaluator, KnownEvaluations, Objective, SearchSpace

from .models import tiny_model

LAYERS = ("stem.3", "blocks.0.hidden")


def make(data: DataSet, constraints: Constraints, study: optuna.Study) -> Objective:
    evaluator = Evaluator(tiny_model(), data.selection)
    baseline = evaluator.evaluate(PruningPlan())
    space = SearchSpace(layers=LAYERS, step=0.25, max_ratio=0.75)
    return Objective(space, evaluator, constraints, baseline, KnownEvaluations(study))


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(directions=DIRECTIONS, sampler=optuna.samplers.RandomSampler(seed=0))


def test_values_constraints_and_attributes(data: DataSet, study: optuna.Study) -> None:
    objective = make(data, Constraints(max_drop=10, min_saving=0.1), study)
    study.enqueue_trial({"stem.3": 0.5, "blocks.0.hidden": 0.25})
    study.optimize(objective, n_trials=1)
    trial = study.trials[0]
    expected = objective.evaluator.evaluate(PruningPlan({"stem.3": 0.5, "blocks.0.hidden": 0.25}))
    drop = expected.drop_from(objective.baseline)
    assert trial.values == [expected.memory_saving, expected.accuracy]
    assert trial.params == {"stem.3": 0.5, "blocks.0.hidden": 0.25}
    assert trial.constraints == {
        "accuracy_drop": pytest.approx(drop - 10),
        "memory_saving": pytest.approx(100 * (0.1 - expected.memory_saving)),
    }
    attrs = trial.user_attrs
    assert attrs["bytes"] == expected.bytes < model_bytes(tiny_model())
    assert attrs["images"] == len(data.selection)
    assert attrs["accuracy_drop"] == pytest.approx(drop, abs=1e-6)
    assert attrs["interval"] == pytest.approx(list(expected.interval), abs=1e-6)
    assert attrs["seconds"] > 0
    assert attrs["phase"] == "search"
    assert "reused" not in attrs
    json.dumps(attrs)


def test_a_margin_makes_the_recorded_constraint_stricter(data: DataSet) -> None:
    def excess(margin: float) -> float:
        study = optuna.create_study(directions=DIRECTIONS)
        study.enqueue_trial({"stem.3": 0.5, "blocks.0.hidden": 0.0})
        study.optimize(make(data, Constraints(max_drop=10, min_saving=0.1, margin=margin), study), n_trials=1)
        return study.trials[0].constraints["accuracy_drop"]

    assert excess(1.5) == pytest.approx(excess(0) + 1.5)


def test_the_feasible_trials_are_those_that_optuna_calls_best(data: DataSet, study: optuna.Study) -> None:
    objective = make(data, Constraints(max_drop=5, min_saving=0.1), study)
    study.optimize(objective, n_trials=15)
    limits = objective.constraints
    assert study.best_trials
    assert len(study.best_trials) < 15
    for trial in study.best_trials:
        assert limits.kept(drop=trial.user_attrs["accuracy_drop"], saving=trial.values[0])
