"""What a device feels of two models."""

from dataclasses import replace

import pytest

from primesvt.models import count_work, model_bytes
from primesvt.pruning import MEASURES, Measure, PruningPlan, measure_named, prune
from primesvt.studies.reporting.device import DeviceCost, device_table

from ...conftest import noisy_data


def test_two_models_side_by_side(make_model) -> None:
    model, images = make_model(), noisy_data().test
    pruned = prune(model, PruningPlan({"blocks.0.hidden": 0.5}))
    before, after = DeviceCost.of(model, images), DeviceCost.of(pruned, images)
    _, work = count_work(pruned, images)
    assert set(after.measures) == set(MEASURES)
    assert (after.measures["synops"], after.measures["macs"], after.images) == (work.synops, work.macs, len(images))
    assert after.measures["energy"] == pytest.approx((4.6 * work.macs + 0.9 * work.synops) / 1e6)
    assert after.to_json()["state_bytes"] == measure_named("state-bytes").of(pruned)
    header, rows = device_table(before, after)
    assert header == ["for one image", "unpruned", "chosen plan", "less by"]
    size, less = model_bytes(pruned), 1 - model_bytes(pruned) / model_bytes(model)
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["size (bytes)"] == [f"{model_bytes(model):,}", f"{size:,}", f"{less:.2%}"]
    assert by_name["multiply-accumulates"][2] == "0.00%"
    timed = device_table(replace(before, latency=4.0), replace(after, latency=3.0))[1]
    assert timed == [*rows, ["milliseconds in ONNX Runtime, one thread", "4.000", "3.000", "25.00%"]]


def test_a_measure_of_another_package_has_its_row(make_model, another_measure: Measure) -> None:
    model, images = make_model(), noisy_data().test
    cost = DeviceCost.of(model, images)
    _, work = count_work(model, images)
    value = another_measure.value(model, work)
    assert cost.to_json()["busiest"] == value > 0
    row = ["busiest layer (spikes)", f"{value:,.1f}", f"{value:,.1f}", "0.00%"]
    assert row in device_table(cost, cost)[1]
