"""What a table says between the widths that were measured."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.pruning.latency.table import Curve, LatencyTable, Term

TABLE = LatencyTable(
    machine="a machine",
    curves=(Curve(((4, 8), (8, 16)), [[1.0, 2.0], [2.0, 4.0]]), Curve((), -0.5)),
    terms=(Term(0, ("a", "b")), Term(0, ("b", "a")), Term(1, (), full=("a", "b"), share=0.5)),
    constant=0.25,
    scale=2.0,
)


@given(st.integers(1, 40), st.integers(1, 40))
def test_what_is_linear_is_told_exactly(a: int, b: int) -> None:
    axes = ((5, 7, 8, 13, 16, 24, 32), (6, 8, 11, 16, 31))
    curve = Curve(axes, [[3 * a + 2 * b + 1 for b in axes[1]] for a in axes[0]])
    assert curve.at((a, b)) == pytest.approx(3 * a + 2 * b + 1)


def test_widths_in_fours_and_others_are_told_apart() -> None:
    curve = Curve(((4, 5, 8, 9),), [1.0, 10.0, 2.0, 20.0])
    assert [curve.at((width,)) for width in (4, 6, 7, 8)] == [1.0, 12.5, 15.0, 2.0]
    # Where there are none of a kind, the others say it.
    assert Curve(((4, 8),), [1.0, 2.0]).at((6,)) == 1.5
    assert Curve(((8,),), [2.0]).at((5,)) == 2.0


def test_a_latency_is_a_sum() -> None:
    assert TABLE.milliseconds({"a": 8, "b": 16}) == 0.25 + 2 * (4.0 + 4.0)
    # b and a at (8, 8) each: 2; the last part counts as one fills the other.
    assert TABLE.milliseconds({"a": 8, "b": 8}) == 0.25 + 2 * (2.0 + 2.0 - 0.25)
    assert TABLE.milliseconds({"a": -100, "b": 8}) == 0.0
    # What is gone takes no time.
    assert TABLE.milliseconds({"a": 0, "b": 8}) == 0.25


def test_it_is_plain_data() -> None:
    assert LatencyTable.from_json(json.loads(json.dumps(TABLE.to_json()))) == LatencyTable.from_json(TABLE.to_json())
    assert LatencyTable.from_json(TABLE.to_json()).milliseconds({"a": 6, "b": 9}) == TABLE.milliseconds(
        {"a": 6, "b": 9}
    )
