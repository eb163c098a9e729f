"""Tables as a person sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.studies.reporting.tables import table


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    text = table(["layer", "bytes", "saved"], [["stem", "1,024", "9.50%"], ["blocks.0.hidden", "12", "-12.00%"]])
    assert text.splitlines() == [
        "layer            bytes    saved",
        "---------------  -----  -------",
        "stem             1,024    9.50%",
        "blocks.0.hidden     12  -12.00%",
    ]


def test_a_column_with_one_word_is_a_column_of_words() -> None:
    assert table(["x"], [["1"], ["many"]]).splitlines()[2] == "1"
    # An empty cell is none of a number: the column stands to the left.
    assert table(["number"], [["1"], [""]]).splitlines()[2] == "1"
    assert table(["number"], [["1"], ["2"]]).splitlines()[2] == "     1"


def test_a_table_without_rows_has_a_head() -> None:
    assert table(["a", "bcd"], []).splitlines() == ["a  bcd", "-  ---"]


def test_rows_are_as_long_as_the_head() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        table(["a", "b"], [["1"]])


cells = st.text("abc123,.%-", max_size=9)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=2, max_size=5)))
def test_every_cell_stands_in_its_column(rows: list[list[str]]) -> None:
    header, *body = rows
    lines = table(header, body).split("\n")
    start = 0
    for column, width in enumerate(map(len, lines[1].split("  "))):
        shown = [line[start : start + width].strip() for line in (lines[0], *lines[2:])]
        assert shown == [row[column] for row in rows]
        start += width + 2
