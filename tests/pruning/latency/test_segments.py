"""The stretches of a graph that are timed."""

from primesvt.pruning.latency.segments import segments

from .graphs import FULL, template


def test_a_product_and_what_follows_is_one() -> None:
    first, second = segments(template(), FULL)
    assert (first.nodes, second.nodes) == (range(3), range(3, 7))
    assert (first.layers, second.layers) == (("first",), ("first", "second", "embedding"))
    assert first.kind != second.kind


def test_kinds_tell_widths_apart() -> None:
    marked = template()
    kinds = [[segment.kind for segment in segments(marked, {**FULL, "second": second})] for second in (12, 12, 8)]
    assert kinds[0] == kinds[1]
    assert kinds[0][0] == kinds[2][0]
    assert kinds[0][1] != kinds[2][1]
