"""The example in docs/ is a notebook as it was executed, and its cells run with what there is now."""

import importlib.util
import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import primesvt
from primesvt.models import DataSet

from .conftest import noisy_data
from .search.models import tiny_model

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOK = DOCS / "example.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def run(change: Callable[[str], str]) -> dict[str, Any]:
    """What the cells leave, one after the other, as a notebook runs them."""
    names: dict[str, Any] = {}
    for cell in CODE:
        exec(compile(change("".join(cell["source"])), NOTEBOOK.name, "exec"), names)  # noqa: S102 - our own notebook
    return names


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks", DOCS / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_was_executed_from_top_to_bottom() -> None:
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"display_data", "execute_result", "stream"}
    assert all(output.get("name") != "stderr" for output in outputs)


def test_it_is_small_and_names_no_place_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 100_000
    for place in ("/home", "/root", "/tmp", "/work", "/usr", "file://"):  # noqa: S108 - none is used
        assert place not in text, place


def test_its_cells_run_with_a_model_that_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data: DataSet = noisy_data()
    monkeypatch.setattr(primesvt, "load_model", lambda _: tiny_model())
    monkeypatch.setattr(primesvt, "open_data", lambda _: data)
    fewer = {"IMAGES = 200": "IMAGES = 20", "trials=12": "trials=3", "max_drop=5": "max_drop=90"}
    assert all(sum(old in "".join(cell["source"]) for cell in CODE) == 1 for old in fewer)
    names = run(lambda cell: reduce(lambda text, old: text.replace(old, fewer[old]), fewer, cell))
    assert len(names["found"].trials) == 3
    assert names["repaired"].memory_saving > 0.2668
    assert names["told"].against is not None


@pytest.mark.slow
def test_its_cells_run_as_they_are() -> None:
    names = run(lambda cell: cell)
    assert names["found"].plan is not None


def test_the_site_shows_what_was_executed() -> None:
    page = hook().markdown({"cells": CELLS})
    assert page.count("```python\n") == len(CODE)
    assert "Plotly.newPlot('figure-" in page
    assert page.count("<table") == page.count("</table>") > 0
    assert "points lost (95 % interval" in page
    assert "<style" not in page


def test_a_figure_cannot_end_its_script() -> None:
    figure = {"data": [{"name": "</script>"}], "layout": {"height": 300}}
    cell = {"cell_type": "code", "source": "f", "outputs": [{"data": {"application/vnd.plotly.v1+json": figure}}]}
    page = hook().markdown({"cells": [cell]})
    assert page.count("</script>") == 2, "that of plotly, and the figure's own"
    assert "height: 300px" in page
