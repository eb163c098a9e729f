"""A graph at other widths than it was exported with."""

from pathlib import Path

import onnx
import pytest

from primesvt.models import export_onnx
from primesvt.pruning import PruningPlan, prune
from primesvt.pruning.latency.template import Template, _marks

from ...conftest import small_config
from ...search.models import tiny_model
from .graphs import FULL, HEADS, MARKS, answers, template


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(graph).graph.node]


def test_numbers_follow_the_widths() -> None:
    widths = {"first": 6, "second": 5, "embedding": 12}
    marked = template()
    assert marked.shape("w2", widths) == (5, 6, 1, 1)
    assert marked.at(2 * 17 * 16, widths) == 6 * 16
    assert (marked.at(0, widths), marked.at(-1, widths), marked.at(2**63 - 1, widths)) == (0, -1, 2**63 - 1)
    assert marked.layers(17 * 19) == ("first", "second")
    graph = marked.model(widths)
    assert answers(graph) == [(1, 12)]
    onnx.checker.check_model(onnx.load_from_string(graph))


def test_a_layer_that_writes_all_of_its_stream_needs_no_index() -> None:
    marked = template()
    narrow = {**FULL, "second": 11}
    assert operators(marked.model(FULL)) == ["Conv", "Reshape", "Reshape", "Conv", "ReduceMean"]
    assert operators(marked.model(narrow))[-3:] == ["Pad", "Gather", "ReduceMean"]
    assert operators(marked.model(FULL, spread=True)) == operators(marked.model(narrow))
    assert list(marked.spreads(range(7))) == [("second", "embedding")]
    assert answers(marked.model(FULL)) == answers(marked.model(narrow)) == [(1, 12)]


def test_a_stretch_reads_and_answers_what_crosses_its_ends() -> None:
    marked = template()
    stretch = range(3, 6)
    assert marked.inputs(stretch) == ["c"]
    assert answers(marked.model({**FULL, "second": 7}, stretch)) == [(1, 12, 4, 4)]
    assert operators(marked.model(FULL, stretch)) == ["Conv"]
    assert (marked.marks, marked.heads) == (MARKS, HEADS)


@pytest.mark.slow
def test_it_is_the_graph_that_a_pruned_model_is_exported_as(family: str, tmp_path: Path) -> None:
    model = tiny_model(family)
    marked = Template.of(model.config)  # type: ignore[arg-type]
    for number, ratios in enumerate(({}, {"stem.2": 0.5, "blocks.0.projection": 0.5, "blocks.1.hidden": 0.3})):
        pruned = prune(model, PruningPlan(ratios))
        export_onnx(pruned, tmp_path / f"{number}.onnx", batch=1)
        exported = onnx.load(tmp_path / f"{number}.onnx").graph
        made = onnx.load_from_string(marked.model(pruned.config.widths)).graph  # type: ignore[union-attr]
        assert sorted(n.op_type for n in made.node) == sorted(n.op_type for n in exported.node)
        sizes = [sorted(tuple(c.dims) for c in graph.initializer if len(c.dims) == 4) for graph in (made, exported)]
        assert sizes[0] == sizes[1]


def test_every_layer_has_a_mark_of_its_own(family: str) -> None:
    config = small_config(family)
    marks = dict(_marks(config))
    assert set(marks) == set(config.widths)
    assert len(set(marks.values())) == len(marks)
    assert min(marks.values()) > 16
    assert max(marks, key=marks.__getitem__) == "embedding"
