"""Measuring a table, with a clock that tells how many multiplications a graph has."""

import math
from dataclasses import dataclass

import onnx
import pytest

from primesvt.pruning.latency import building

from .graphs import FULL, HEADS, template


@dataclass(frozen=True)
class Group:
    name: str
    kind: str
    heads: int
    stream: str | None = None


class Config:
    """What the hand-made graph is of."""

    widths = FULL

    def groups_left(self) -> tuple[Group, ...]:
        kinds = {"first": "stem", "second": "mlp", "embedding": "embedding"}
        return tuple(Group(name, kind, HEADS[name]) for name, kind in kinds.items())


@dataclass(frozen=True)
class Clock:
    """A millisecond a graph, 1 for a thousand weights, and half a one for an index."""

    graph: bytes

    def milliseconds(self) -> float:
        graph = onnx.load_from_string(self.graph).graph
        weights = sum(math.prod(c.dims) for c in graph.initializer if len(c.dims) == 4)
        return 1.0 + weights / 1000 + 0.5 * sum(node.op_type == "Gather" for node in graph.node)


@pytest.mark.parametrize(("second", "stream"), [(12, 12), (11, 12), (3, 12), (8, 12)])
def test_what_is_a_sum_is_found_again(second: int, stream: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "Stopwatch", Clock)
    monkeypatch.setattr(building, "in_turn", lambda clocks: [clock.milliseconds() for clock in clocks])
    told: list[tuple[int, int]] = []
    table = building.table_of(template(), Config(), "here", lambda *each: told.append(each))  # type: ignore[arg-type]
    widths = {"first": 6, "second": second, "embedding": stream}
    assert table.milliseconds(widths) == pytest.approx(Clock(template().model(widths)).milliseconds(), rel=1e-6)
    assert table.error < 1e-6
    assert [each[0] for each in told] == list(range(1, told[0][1] + 1))
