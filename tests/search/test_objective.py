"""What a trial returns and records."""

import json

import optuna
import pytest

from primesvt.models import DataSet, model_bytes
from primesvt.pruning import PruningPlan
from primesvt.search import (
    Constraints,
    Evaluator,
    KnownEvaluations,
    Objective,
    SearchSpace,
    StoppingRule,
    evaluation_of,
)

from .models import tiny_model, told
from .synthetic import DIRECTIONS

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


def test_what_is_recorded_of_a_plan_that_was_rejected_early(study: optuna.Study) -> None:
    model, images = told()
    evaluator = Evaluator(model, images.selection)
    baseline = evaluator.baseline()
    limits = Constraints(max_drop=10, min_saving=0)
    stopping = StoppingRule(baseline=baseline, constraints=limits, risk=1e-4)
    space = SearchSpace(layers=("blocks.0.attention", "stem.3"), step=0.25, max_ratio=0.75)
    known = KnownEvaluations(study)
    objective = Objective(space, evaluator, limits, baseline.evaluation, known, stopping)
    study.enqueue_trial({"blocks.0.attention": 0.25, "stem.3": 0.0})
    study.enqueue_trial({"blocks.0.attention": 0.0, "stem.3": 0.75})
    study.enqueue_trial({"blocks.0.attention": 0.0, "stem.3": 0.75})
    study.optimize(objective, n_trials=3)
    good, bad, again = study.trials
    assert "decided_early" not in good.user_attrs
    assert good.user_attrs["images"] == 400
    attrs = bad.user_attrs
    assert attrs["decided_early"] == "statistical"
    assert attrs["images"] in (64, 128, 192)
    evaluation = evaluation_of(bad)
    assert bad.values == [evaluation.memory_saving, evaluation.accuracy]
    assert evaluation.accuracy == pytest.approx(baseline.evaluation.accuracy - attrs["accuracy_drop"] / 100)
    assert attrs["interval"] == pytest.approx(list(evaluation.interval), abs=1e-6)
    assert attrs["accuracy_drop"] == pytest.approx(evaluation.drop_from(baseline.evaluation), abs=1e-6)
    assert bad.constraints["accuracy_drop"] > 0
    # In the same study it stays rejected.
    assert again.user_attrs["reused"] == f"trial 1 of {study.study_name}"
    assert again.user_attrs["decided_early"] == "statistical"
    assert again.constraints == bad.constraints
    assert study.best_trials == [good]
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
