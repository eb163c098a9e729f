"""What is measured of a plan, and when two plans are the same."""

import copy
import json
from dataclasses import replace

import pytest
import torch

from primesvt.models import DataSet, PrimeSVTError, batch_size_of, config_of, count_work, model_bytes, predict, wilson
from primesvt.pruning import PruningPlan, measure_named, prune, pruned_bytes
from primesvt.search import Constraints, Evaluation, Evaluator, StoppingRule

from ..conftest import noisy_data
from .models import tiny_model, told

PLAN = PruningPlan({"blocks.0.hidden": 0.5, "stem.3": 0.25})
# Of told(): loses more than half of the images.
BAD = PruningPlan({"stem.3": 0.5})


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
    evaluator = Evaluator(model, data.selection, seen.append)
    evaluator.baseline()
    seen.clear()
    evaluation = evaluator.evaluate(PLAN)
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


def stopping(evaluator: Evaluator, *, risk: float = 0.0, **limits: float) -> StoppingRule:
    return StoppingRule(baseline=evaluator.baseline(), constraints=Constraints(**limits), risk=risk)


def test_the_baseline_is_the_unpruned_model_image_by_image() -> None:
    model, data = told()
    evaluator = Evaluator(model, data.selection)
    baseline, predictions = evaluator.baseline(), predict(model, data.selection)
    assert baseline.right.tolist() == (predictions.classes == predictions.labels).tolist()
    empty = evaluator.evaluate(PruningPlan())
    assert replace(baseline.evaluation, seconds=0) == replace(empty, seconds=0)


@pytest.mark.parametrize(("risk", "reason", "images"), [(0.0, "exact", 128), (1e-4, "statistical", 64)])
def test_a_plan_that_misses_the_limit_is_not_asked_to_the_end(risk: float, reason: str, images: int) -> None:
    model, data = told()
    seen: list[int] = []
    evaluator = Evaluator(model, data.selection, seen.append)
    rejection = stopping(evaluator, risk=risk, max_drop=3).rejection(evaluator.key(BAD), 0, evaluator.sureness)
    seen.clear()
    evaluation = evaluator.evaluate(BAD, rejection)
    assert evaluation.decided_early == reason
    assert evaluation.images == sum(seen) == images
    # What it says is said of the first images in the order drawn.
    first = replace(data.selection, indices=data.selection.indices[rejection.order[:images]])
    assert evaluation.right == predict(prune(model, BAD), first).right
    lost = 100 * (predict(model, first).right - evaluation.right) / images
    assert evaluation.bytes == evaluator.evaluate(BAD).bytes
    # All were drawn at random, so of all images as many are lost.
    baseline = evaluator.baseline().evaluation
    assert evaluation.drop_from(baseline) == pytest.approx(lost)
    assert evaluation.accuracy == pytest.approx(baseline.accuracy - lost / 100)
    assert lost > 3
    assert Evaluation.from_json(json.loads(json.dumps(evaluation.to_json()))) == evaluation


def test_a_plan_that_keeps_the_limit_is_measured_as_if_nothing_could_be_rejected() -> None:
    model, data = told()
    evaluator = Evaluator(model, data.selection)
    plan = PruningPlan({"blocks.0.attention": 0.5})
    rejection = stopping(evaluator, risk=0.5, max_drop=20).rejection(evaluator.key(plan), 0, evaluator.sureness)
    evaluation = evaluator.evaluate(plan, rejection)
    assert evaluation.decided_early == ""
    assert replace(evaluation, seconds=0) == replace(evaluator.evaluate(plan), seconds=0)


def test_a_rejected_plan_never_seems_to_keep_the_limit() -> None:
    """Also where the images seen happen to look better than the limit."""
    lucky = Evaluation(
        right=60, images=64, bytes=800, memory_saving=0.2, seconds=1.0, decided_early="exact", estimate=0.95,
        least_drop=3.25,
    )  # fmt: skip
    baseline = Evaluation(right=390, images=400, bytes=1000, memory_saving=0.0, seconds=1.0)
    assert lucky.drop_from(baseline) == 3.25
    assert replace(lucky, estimate=0.9).drop_from(baseline) == pytest.approx(7.5)
    assert replace(lucky, estimate=0.9).interval == pytest.approx(wilson(58, 64))


def test_a_rejected_plan_of_an_earlier_version_is_compared_on_the_images_it_saw() -> None:
    stored = {
        "right": 40, "images": 64, "bytes": 800, "memory_saving": 0.2, "seconds": 1.0, "decided_early": "exact",
        "unpruned_right": 61, "least_drop": 3.25,
    }  # fmt: skip
    baseline = Evaluation(right=390, images=400, bytes=1000, memory_saving=0.0, seconds=1.0)
    evaluation = Evaluation.from_json(stored)
    assert evaluation.drop_from(baseline) == 100 * 21 / 64
    assert evaluation.accuracy == 40 / 64
    assert Evaluation.from_json({**stored, "right": 60}).drop_from(baseline) == 3.25


def test_evaluations_of_earlier_versions_are_read() -> None:
    stored = {"right": 9, "images": 10, "bytes": 8, "memory_saving": 0.2, "seconds": 1.5, "decided_early": False}
    evaluation = Evaluation.from_json(stored)
    assert evaluation == Evaluation(right=9, images=10, bytes=8, memory_saving=0.2, seconds=1.5)
    assert not Evaluation.from_json({k: v for k, v in stored.items() if k != "decided_early"}).decided_early


def test_an_evaluation_is_data() -> None:
    evaluation = Evaluation(right=90, images=100, bytes=800, memory_saving=0.2, seconds=1.5)
    assert Evaluation.from_json(json.loads(json.dumps(evaluation.to_json()))) == evaluation
    assert evaluation.accuracy == 0.9
    # The Wilson interval of 90 of 100, as tables give it.
    assert evaluation.interval == pytest.approx((0.8256, 0.9448), abs=1e-4)
    baseline = Evaluation(right=93, images=100, bytes=1000, memory_saving=0.0, seconds=1.0)
    assert evaluation.drop_from(baseline) == pytest.approx(3)


COUNTED = (measure_named("synops"), measure_named("macs"), measure_named("parameters"))


@pytest.mark.parametrize("cache", [0, 2**30])
def test_spikes_are_counted_in_the_same_pass(family: str, data: DataSet, cache: int) -> None:
    """Also where plans share activations, so that most of them are not computed again."""
    model = tiny_model(family)
    evaluator = Evaluator(model, data.selection, cache=cache, measures=COUNTED)
    plans = [PruningPlan(), PLAN, PruningPlan({"blocks.0.hidden": 0.75, "stem.3": 0.25}), PLAN, PruningPlan()]
    evaluator.baseline()
    for plan in plans:
        measured = evaluator.evaluate(plan).measures
        _, work = count_work(prune(model, plan), data.selection)
        assert measured["synops"] == pytest.approx(work.synops, rel=1e-12)
        assert measured["macs"] == work.macs
    assert evaluator.baseline().evaluation.measures["synops"] > evaluator.evaluate(PLAN).measures["synops"]


def test_what_was_measured_without_counting_is_counted_later(data: DataSet) -> None:
    model = tiny_model()
    without = Evaluator(model, data.selection).evaluate(PLAN)
    evaluator = Evaluator(model, data.selection, measures=COUNTED)
    assert evaluator.completed(without, PLAN).measures == evaluator.evaluate(PLAN).measures


def test_a_plan_that_is_rejected_early_is_counted_on_the_images_drawn_at_random() -> None:
    """Those behind them are the least sure ones, which are no sample of all."""
    model, data = told()
    evaluator = Evaluator(model, data.selection, measures=COUNTED)
    rejection = stopping(evaluator, risk=0.5, max_drop=3).rejection(evaluator.key(BAD), 0, evaluator.sureness)
    stopped = evaluator.evaluate(BAD, replace(rejection, drawn=1, risk=0))
    first = batch_size_of(config_of(model))
    assert first < stopped.images < len(data.selection)
    drawn = replace(data.selection, indices=data.selection.indices[rejection.order[:first]])
    assert stopped.measures["synops"] == pytest.approx(count_work(prune(model, BAD), drawn)[1].synops)
    # What was counted then is not counted again.
    whole = evaluator.evaluate(BAD).measures["synops"]
    assert whole == pytest.approx(count_work(prune(model, BAD), data.selection)[1].synops)
