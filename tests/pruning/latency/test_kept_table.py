"""A table is measured once a machine."""

import dataclasses
from pathlib import Path

import pytest

from primesvt.pruning.latency import kept_table, machine_name, table_for
from primesvt.pruning.latency.table import Curve, LatencyTable, Term

from ...conftest import small_config

TABLE = LatencyTable(machine="here", curves=(Curve(((8, 16),), [1.0, 2.0]),), terms=(Term(0, ("stem.0",)),))


def test_it_is_measured_once_for_a_structure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []
    monkeypatch.setattr(kept_table, "build_table", lambda config, machine, _tell: asked.append(machine) or TABLE)
    config = small_config("spikformer")
    assert [table_for(each).to_json() for each in (config, config)] == [TABLE.to_json()] * 2
    # What the classes are called changes nothing; widths do.
    table_for(dataclasses.replace(config, classes=("x", "y", "z")))
    assert asked == [machine_name()]
    table_for(config.with_widths({"stem.1": 3}))
    assert len(asked) == 2
    assert len(list((tmp_path / "primesvt" / "latency").glob("*.json"))) == 2


def test_a_file_that_cannot_be_read_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept_table, "build_table", lambda *_: TABLE)
    config = small_config("spikformer")
    table_for(config)
    (file,) = (tmp_path / "primesvt" / "latency").glob("*.json")
    file.write_text("{")
    assert table_for(config) == TABLE
    assert file.read_text().startswith('{"machine": "here"')


def test_no_place_for_it_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "primesvt").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kept_table, "build_table", lambda *_: TABLE)
    assert table_for(small_config("spikformer")) == TABLE


def test_no_place_at_all_costs_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(kept_table, "build_table", lambda *_: TABLE)
    assert table_for(small_config("spikformer")) == TABLE


def test_the_machine_has_a_name() -> None:
    assert ", ONNX Runtime " in machine_name()
