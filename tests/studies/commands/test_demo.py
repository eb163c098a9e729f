"""The embedded model, and the whole of ``primesvt demo``."""

import json
from importlib import resources

import pytest

from primesvt.models import load_model, model_bytes, open_data, predict


def test_the_demo_model_is_what_its_log_says() -> None:
    model, data = load_model("demo"), open_data(None)
    record = json.loads((resources.files("primesvt.models") / "demo" / "training.json").read_text())
    assert record["selection"]["images"] == len(data.selection)
    assert record["selection"]["accuracy"] == record["log"][-1]["selection_accuracy"]
    low, high = predict(model, data.selection.first(500)).interval
    assert low < record["selection"]["accuracy"] < high


@pytest.mark.slow
def test_the_demo_saves_what_the_readme_says(primesvt, tmp_path) -> None:
    result = primesvt("demo", "-o", tmp_path / "demo", "--json").json
    assert result["bytes_before"] == model_bytes(load_model("demo"))
    assert result["unpruned"]["accuracy"] >= 0.90
    policy, repaired, ours = result["plans"]
    for plan in (policy, repaired, ours):
        assert plan["pruned"]["memory_saving"] >= 0.2668
        assert plan["finetuned"]["drop"] <= plan["pruned"]["test"]["drop"] + 0.5, "the best epoch is kept"
    assert repaired["pruned"]["memory_saving"] >= policy["pruned"]["memory_saving"]
    assert ours["pruned"]["memory_saving"] >= 0.7
