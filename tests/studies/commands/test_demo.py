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
def test_demo_keeps_the_papers_claim_on_the_test_set(primesvt, tmp_path) -> None:
    result = primesvt("demo", "-o", tmp_path / "demo", "--json").json
    assert result["bytes_before"] == model_bytes(load_model("demo"))
    assert result["memory_saving"] >= 0.2668
    assert result["unpruned"]["accuracy"] >= 0.90
    assert result["pruned"]["drop"] <= 3
    assert result["finetuned"]["drop"] <= 0.4
