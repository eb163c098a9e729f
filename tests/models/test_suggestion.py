"""What was meant by a mistyped name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import meant, unknown
from primesvt.models.suggestion import nearest

KNOWN = ("least-squares", "norm", "mean")


@pytest.mark.parametrize(
    ("name", "near"),
    [("least-square", "least-squares"), ("LEAST-SQUARES", "least-squares"), ("nrom", "norm"), ("prayer", None)],
)
def test_the_nearest(name: str, near: str | None) -> None:
    assert nearest(name, KNOWN) == near


def test_an_error_says_what_was_meant_and_what_there_is() -> None:
    text = "Unknown step 'nrm'; did you mean norm? Known are least-squares, norm, mean."
    assert str(unknown("step", "nrm", KNOWN)) == text
    assert str(unknown("step", "prayer", KNOWN)) == "Unknown step 'prayer'; known are least-squares, norm, mean."
    assert str(unknown("layer", "nrm", KNOWN, "it has")).endswith(
        "did you mean norm? It has least-squares, norm, mean."
    )
    assert meant("prayer", KNOWN) == ""


def test_what_is_no_text_and_what_is_endless_is_said_shortly() -> None:
    assert str(unknown("family", ["norm"], KNOWN)).startswith("Unknown family ['norm']; ")
    assert len(str(unknown("family", "x" * 10_000, KNOWN))) < 200


@given(st.text(), st.lists(st.text(max_size=8), max_size=4))
def test_what_is_meant_is_known(name: str, known: list[str]) -> None:
    assert nearest(name, known) in (None, *known)
