"""Latency as a measure: told from a table."""

import sys

import pytest

from primesvt.models import PrimeSVTError
from primesvt.pruning import PruningPlan, measure_named, prune
from primesvt.pruning.latency.table import Curve, LatencyTable, Term

from ...search.models import tiny_model


def test_a_narrower_layer_takes_less() -> None:
    model = tiny_model()
    width = model.config.widths["stem.2"]  # type: ignore[index, union-attr]
    table = LatencyTable(machine="here", curves=(Curve(((2, width),), [2.0, width]),), terms=(Term(0, ("stem.2",)),))
    latency = measure_named("latency")
    assert latency.needs_table
    knowing = latency.knowing(table.to_json())
    assert not knowing.needs_table
    assert knowing.value(model, None) == width
    assert knowing.of(prune(model, PruningPlan({"stem.2": 0.5}))) == width / 2
    assert knowing.text(3.5) == "3.500 ms"


def test_without_its_table_it_says_nothing() -> None:
    with pytest.raises(PrimeSVTError, match="images or at a table"):
        measure_named("latency").value(tiny_model(), None)


def test_what_a_table_needs_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    table = measure_named("latency").table
    assert table is not None
    with pytest.raises(PrimeSVTError, match="onnxruntime is needed for that: pip install onnx onnxscript onnxruntime"):
        table(tiny_model(), lambda _done, _total: None)
