"""What is measured of a plan, and when two plans are the same."""

import copy
import json

import pytest
import torch

from primesvt.models import DataSet, PrimeSVTError, model_bytes, predict
from primesvt.pruning import PruningPlan, prune, pruned_bytes
from primesvt.search import Evaluation, Evaluator, measure

from ..conftest import noisy_data
from .models import tiny_model

PLAN = PruningPlan({"blocks.0.hidden": 0.5, "stem.3": 0.25})


def test_the_empty_plan_is_the_model(family: str, data: DataSet) -> None:
    model = tiny_model(family)
    evaluation = Evaluator(model, data.selection).evaluate(PruningPlan())
    assert evaluation.right == predict(model, data.selection).right
    assert evaluation.images == len(data.selection)
    assert evaluation.bytes == model_bytes(model)
    assert evaluation.memory_saving == 0
    assert not evaluation.decided_early


def test_a_plan_is_measured_on_the_model_that_it_makes(family: str, data: DataSet) -> None:
    model = tiny_model(family)
    before = copy.deepcopy(model.state_dict())
    seen: list[int] = []
    evaluation = Evaluator(model, data.selection, seen.append).evaluate(PLAN)
    pruned = prune(model, PLAN)
    assert evaluation.right == predict(pruned, data.selection).right
    assert evaluation.bytes == model_bytes(pruned) == pruned_bytes(model, PLAN)
    assert evaluation.memory_saving == pytest.approx(1 - model_bytes(pruned) / model_bytes(model))
    assert evaluation.seconds > 0
    assert sum(seen) == len(data.selection)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("role", ["test", "calibration"])
def test_searching_on_other_sets_is_refused(data: DataSet, role: str) -> None:
    with pytest.raises(PrimeSVTError, match=f"Searching on the {role} set is refused"):
        Evaluator(tiny_model(), getattr(data, role))


def test_the_first_images_of_the_test_set_are_refused_too(data: DataSet) -> None:
    with pytest.raises(PrimeSVTError, match="refused"):
        Evaluator(tiny_model(), data.test.first(5))


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match=r"12|16"):
        Evaluator(tiny_model(), noisy_data(size=12).selection)


def test_any_set_can_be_measured_when_not_searching(data: DataSet) -> None:
    assert measure(tiny_model(), PLAN, data.test).images == len(data.test)


def test_unknown_layers_are_named(data: DataSet) -> None:
    with pytest.raises(PrimeSVTError, match=r"blocks\.9\.hidden"):
        Evaluator(tiny_model(), data.selection).evaluate(PruningPlan({"blocks.9.hidden": 0.5}))


def test_plans_with_the_same_result_have_the_same_key(family: str, data: DataSet) -> None:
    evaluator = Evaluator(tiny_model(family), data.selection)
    same = [
        ({}, {"stem.3": 0.0}),
        ({}, {"stem.3": 0.01}),  # less than a channel
        ({"stem.3": 0.5}, {"stem.3": 0.51}),
        ({"stem.3": 0.5, "stem.2": 0.5}, {"stem.2": 0.5, "stem.3": 0.5}),
    ]
    for one, other in same:
        assert evaluator.key(PruningPlan(one)) == evaluator.key(PruningPlan(other))
        assert evaluator.evaluate(PruningPlan(one)).right == evaluator.evaluate(PruningPlan(other)).right


def test_what_makes_a_difference_makes_another_key(data: DataSet) -> None:
    model = tiny_model()
    keys = [
        Evaluator(model, data.selection).key(PLAN),
        Evaluator(model, data.selection).key(PruningPlan()),
        Evaluator(model, data.selection).key(PruningPlan(PLAN.ratios, "random")),
        Evaluator(model, data.selection.first(10)).key(PLAN),
        Evaluator(model, noisy_data(seed=1).selection).key(PLAN),
        Evaluator(tiny_model("spikformer"), data.selection).key(PruningPlan()),
        Evaluator(tiny_model(seed=1), data.selection).key(PLAN),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == Evaluator(tiny_model(), noisy_data().selection).key(PLAN), "the same in another process"


def test_an_evaluation_is_data() -> None:
    evaluation = Evaluation(right=90, images=100, bytes=800, memory_saving=0.2, seconds=1.5, decided_early=True)
    assert Evaluation.from_json(json.loads(json.dumps(evaluation.to_json()))) == evaluation
    assert evaluation.accuracy == 0.9
    # The Wilson interval of 90 of 100, as tables give it.
    assert evaluation.interval == pytest.approx((0.8256, 0.9448), abs=1e-4)
    baseline = Evaluation(right=93, images=100, bytes=1000, memory_saving=0.0, seconds=1.0)
    assert evaluation.drop_from(baseline) == pytest.approx(3)
