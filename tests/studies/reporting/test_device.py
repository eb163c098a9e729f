"""What a device feels of two models."""

from dataclasses import replace

import pytest

from primesvt.models import count_work, model_bytes
from primesvt.pruning import MEASURES, Measure, Pruner, PruningPlan, measure_named, prune, pruned_bytes
from primesvt.studies.reporting import device
from primesvt.studies.reporting.device import DeviceCost, device_costs, device_table, rounded_note
from primesvt.studies.running.latency import Latency

from ...conftest import noisy_data


def test_two_models_side_by_side(make_model) -> None:
    model, images = make_model(), noisy_data().test
    pruned = prune(model, PruningPlan({"blocks.0.hidden": 0.5}))
    before, after = DeviceCost.of(model, images), DeviceCost.of(pruned, images)
    _, work = count_work(pruned, images)
    assert set(after.measures) == set(MEASURES) - {"latency"}
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


def test_what_a_search_read_in_a_table_is_beside_what_was_measured(make_model) -> None:
    cost = DeviceCost.of(make_model(), noisy_data().test)
    before, after = (cost.told({"latency": ms, "synops": 1.0}, ["latency"]) for ms in (4.0, 3.0))
    assert after.to_json()["predicted_latency"] == 3.0
    assert after.to_json()["latency"] is None
    rows = device_table(before, after)[1]
    assert rows[-1] == ["latency, predicted (ms)", "4.000", "3.000", "25.00%"]
    assert after.measures["synops"] == cost.measures["synops"]


@pytest.mark.parametrize(("multiple", "beside"), [(1, 8), (4, 1)])
def test_multiples_are_timed_beside_the_plan(make_model, multiple, beside, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(models: list[object]) -> list[Latency]:
        return [Latency(milliseconds=4.0 - i, batch=1, threads=1, repetitions=1) for i, _ in enumerate(models)]

    monkeypatch.setattr(device, "measure_latencies", timed)
    model, plan = make_model(), PruningPlan({"blocks.0.hidden": 0.4}, multiple=multiple)
    unpruned, chosen = device_costs(Pruner(model), plan, noisy_data().test, latency=True)
    assert (unpruned.latency, chosen.latency, rounded_note(unpruned)) == (4.0, 3.0, "")
    other = pruned_bytes(model, replace(plan, multiple=beside))
    assert chosen.to_json()["rounded"] == {"multiple": beside, "bytes": other, "latency": 2.0}
    how = "in multiples of 8 channels" if beside == 8 else "without --multiple"
    more = other / pruned_bytes(model, plan) - 1
    said = f"The same plan {how}: 2.000 ms instead of 3.000 ms, with {other:,} bytes ({more:+.2%}); "
    assert rounded_note(chosen) == said + "its accuracy was not measured."
    assert device_costs(Pruner(model), plan, noisy_data().test, latency=False)[1].rounded is None
