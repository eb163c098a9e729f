"""Benchmarks tell which ratio fell since it was kept, on the same kind of machine."""

import argparse
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from primesvt.models import load_model

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """benchmarks/kept.py, with a folder of its own."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = pytest.importorskip("kept", reason="benchmarks are not beside the tests")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "kept")
    return module  # type: ignore[no-any-return]


def settled(kept: ModuleType, *options: str, kind: str = "a", **ratios: float) -> None:
    parser = argparse.ArgumentParser()
    kept.add_options(parser, quick="less")
    kept.settle(parser.parse_args(options), "speed", ratios, {"machine": {"kind": kind}, "more": 1})


@pytest.mark.parametrize(("now", "told"), [(2.0, False), (1.71, False), (1.69, True)])
def test_a_ratio_that_falls_by_more_than_15_per_cent_is_told(
    kept: ModuleType, capsys: pytest.CaptureFixture[str], now: float, *, told: bool
) -> None:
    settled(kept, "--keep", one=2.0, other=1.0)
    settled(kept, one=now, other=1.0)
    assert capsys.readouterr().out == ("one fell by 16%: 1.69, and it was 2.00 when it was kept\n" if told else "")


def test_machines_of_another_kind_and_ratios_that_were_not_measured_are_no_fall(
    kept: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    settled(kept, "--keep", one=2.0)
    settled(kept, "--keep", kind="b", one=1.0)
    settled(kept, other=1.0)
    assert capsys.readouterr().out == ""
    held = json.loads((kept.FOLDER / "speed.json").read_text())
    assert {kind: each["ratios"] for kind, each in held.items()} == {"a": {"one": 2.0}, "b": {"one": 1.0}}


def test_a_quick_run_is_written_and_not_kept(kept: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    with pytest.raises(SystemExit, match="too rough to be kept"):
        settled(kept, "--quick", "--keep", "--json", str(file), one=2.0)
    assert json.loads(file.read_text())["more"] == 1
    assert not kept.FOLDER.exists()


def test_a_machine_says_its_instructions_and_cores(kept: ModuleType) -> None:
    machine = kept.machine()
    assert "cores" in machine["kind"]
    assert {"torch", "numba", "load", "python"} < set(machine)


def test_a_curve_tells_its_exponents_and_what_bends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    growth = pytest.importorskip("growth", reason="benchmarks are not beside the tests")
    parts = {"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 2.5, "c": 0.1}
    curve = growth.Curve("trials", "a study", [(10, 1.0), (100, 10.0), (1000, 1000.0)], parts)
    assert curve.exponent == pytest.approx(1.5)
    assert curve.at_the_end == pytest.approx(2.0)
    assert curve.bent_by == "a (1.00 s to 3.00 s)"
    assert "1.50" in str(curve)


def test_the_time_of_a_model_is_told_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    layers = pytest.importorskip("layers", reason="benchmarks are not beside the tests")
    model = load_model("demo")
    times = layers.layer_times(model, torch.rand(2, 1, 28, 28), 1)
    found = {line.name: line for line in times}
    for name, line in found.items():
        assert (line.limit_ms is not None) == (
            name.startswith(("stem.", "position", "blocks.", "head")) and "lif" not in name
        )
    assert found["stem.0"].way == "dense"
    assert found["blocks.0.query, blocks.0.key, blocks.0.value"].way == "sparse"
    assert 0 < found["blocks.0.hidden"].rate < 1
    last = layers.table(times).splitlines()[-1]
    assert last.split()[:3] == ["all", f"{sum(line.ms for line in times):.2f}", "100%"]
