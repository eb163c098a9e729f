"""primesvt measure."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from primesvt.models import count_work, load_model, model_bytes, open_data
from primesvt.pruning import MEASURES, Measure
from primesvt.studies.running import latency


def test_measure(primesvt, model_dir, data_file) -> None:
    ran = primesvt("measure", model_dir, "--data", data_file, "--images", "9", "--ac-pj", "2", "--json").json
    model = load_model(model_dir)
    _, work = count_work(model, open_data(data_file, (1, 8, 8)).selection.first(9))
    assert (ran["images"], ran["split"], ran["bytes"]) == (9, "selection", model_bytes(model))
    assert (ran["synops"], ran["macs"]) == (work.synops, work.macs)
    assert sum(ran["synops_by_step"]) == pytest.approx(work.synops)
    assert ran["energy_uj"] == ran["measures"]["energy"] == pytest.approx((4.6 * work.macs + 2 * work.synops) / 1e6)
    assert set(ran["measures"]) == set(MEASURES) - {"latency"}
    assert [layer["layer"] for layer in ran["layers"]] == [layer.layer for layer in work.layers]
    assert (ran["unknown"], ran["latency"]) == ([], None)
    assert 0 < ran["firing_rate"] < 1


def test_the_text_has_every_layer(primesvt, model_dir, data_file) -> None:
    text = primesvt("measure", model_dir, "--data", data_file).out
    assert "4.6 pJ a multiply-accumulate, 0.9 pJ an addition" in text
    assert "blocks.0.hidden" in text
    assert "head" in text


def test_a_measure_of_another_package_is_shown(primesvt, model_dir, data_file, another_measure: Measure) -> None:
    command = ("measure", model_dir, "--data", data_file, "--images", "9")
    told = primesvt(*command, "--json").json
    value, note = told["measures"]["busiest"], f"(of {len(told['layers'])} layers)"
    assert value > 0
    assert f"  busiest layer         {another_measure.text(value)} {note}\n" in primesvt(*command).out


def constant_model(_model: object, file: str | Path, *, batch: int) -> None:
    """An ONNX file that answers at once."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch])
    mean = helper.make_node("ReduceMean", ["images", "axes"], ["logits"], keepdims=0)
    axes = helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3])
    graph = helper.make_graph([mean], "mean", [images], [logits], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), str(file))


def test_latency_says_how_it_was_measured(primesvt, model_dir, data_file, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "export_onnx", constant_model)
    command = ("measure", model_dir, "--data", data_file, "--latency", "--batch", "3")
    found = primesvt(*command, "--json").json["latency"]
    assert 0 < found.pop("milliseconds") < 1000
    assert found == {"batch": 3, "threads": 1, "repetitions": 50}
    assert "for a batch of 3 in ONNX Runtime, 1 thread(s), median of 50" in primesvt(*command).out
