"""The robustness table, with an accuracy that is arithmetic."""

import pytest

from primesvt.models import PrimeSVTError, predict
from primesvt.pruning import DEFAULT_RATES, PruningPlan, check_rates, measure_robustness, probes, prune


def test_every_layer_alone_at_every_rate() -> None:
    asked: list[PruningPlan] = []
    weights = {"a": 0.5, "b": 0.125}

    def accuracy(plan: PruningPlan) -> float:
        asked.append(plan)
        return 1 - sum(weights[layer] * ratio for layer, ratio in plan.ratios.items())

    table = measure_robustness(("b", "a"), (0.25, 0.5), accuracy, criterion="l1")
    assert table.accuracy == 1.0
    assert table.layers == {"b": {0.25: 1 - 0.03125, 0.5: 1 - 0.0625}, "a": {0.25: 0.875, 0.5: 0.75}}
    assert list(table.layers) == ["b", "a"]
    assert asked == [
        PruningPlan({}, "l1"),
        PruningPlan({"b": 0.25}, "l1"),
        PruningPlan({"b": 0.5}, "l1"),
        PruningPlan({"a": 0.25}, "l1"),
        PruningPlan({"a": 0.5}, "l1"),
    ]
    assert table.to_json() == {
        "accuracy": 1.0,
        "layers": {"b": {"0.25": 0.96875, "0.5": 0.9375}, "a": {"0.25": 0.875, "0.5": 0.75}},
    }


def test_near_rates_stay_apart_in_json() -> None:
    table = measure_robustness(("a",), (0.1234567, 0.12345671), lambda plan: plan.ratios.get("a", 1.0))
    assert table.to_json()["layers"]["a"] == {"0.1234567": 0.1234567, "0.12345671": 0.12345671}


def test_no_layers_no_rows() -> None:
    assert measure_robustness((), DEFAULT_RATES, lambda _: 0.5).to_json() == {"accuracy": 0.5, "layers": {}}


def test_probes() -> None:
    assert list(probes(["x", "y"], [0.5])) == [
        ("x", 0.5, PruningPlan({"x": 0.5})),
        ("y", 0.5, PruningPlan({"y": 0.5})),
    ]


def test_rates_are_sorted_and_unique() -> None:
    assert check_rates([0.5, 0.1, 0.5]) == (0.1, 0.5)
    assert check_rates(DEFAULT_RATES) == DEFAULT_RATES == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@pytest.mark.parametrize("rates", [[], [0.0], [1.0], [0.5, -0.1], [0.5, 1.5], [float("nan")], [float("inf")], [True]])
def test_rates_that_are_refused(rates: list[float]) -> None:
    with pytest.raises(PrimeSVTError, match="Rates must be above 0 and below 1"):
        check_rates(rates)


def test_a_real_model_by_real_accuracy(make_model, family: str, data) -> None:
    model = make_model(family)

    def accuracy(plan: PruningPlan) -> float:
        return predict(prune(model, plan), data.selection).accuracy

    table = measure_robustness(("stem.3", "blocks.1.hidden"), (0.1, 0.9), accuracy)
    assert table.accuracy == predict(model, data.selection).accuracy
    assert table.layers["stem.3"][0.9] == accuracy(PruningPlan({"stem.3": 0.9}))
