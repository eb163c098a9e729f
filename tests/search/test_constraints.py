"""The limits, at the limit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.search import Constraints


def test_the_papers_limits_are_the_default() -> None:
    limits = Constraints()
    assert (limits.max_drop, limits.min_saving, limits.margin) == (3.0, 0.2668, 0.0)


@pytest.mark.parametrize(
    ("drop", "saving", "kept"),
    [
        (3.0, 0.3, True),
        (3.0000000000000004, 0.3, True),
        (100 * (0.9 - 0.87), 0.3, True),
        (3.001, 0.3, False),
        (2.0, 0.2999, False),
        (2.0, 0.1 + 0.2, True),
        (2.0, 1 - 0.7000000000000001, True),
        (-1.0, 0.9, True),
    ],
)
def test_kept(drop: float, saving: float, *, kept: bool) -> None:
    assert Constraints(max_drop=3, min_saving=0.3).kept(drop=drop, saving=saving) is kept


def test_values_say_by_how_much() -> None:
    values = Constraints(max_drop=3, min_saving=0.3).values(drop=4.5, saving=0.5)
    assert values == {"accuracy_drop": 1.5, "memory_saving": -20.0}


@given(st.floats(-5, 20), st.floats(-0.1, 1), st.floats(0, 3))
def test_a_margin_only_tightens(drop: float, saving: float, margin: float) -> None:
    plain, careful = Constraints(max_drop=3, min_saving=0.3), Constraints(max_drop=3, min_saving=0.3, margin=margin)
    assert not careful.kept(drop=drop, saving=saving) or plain.kept(drop=drop, saving=saving)
    difference = (
        careful.values(drop=drop, saving=saving)["accuracy_drop"]
        - plain.values(drop=drop, saving=saving)["accuracy_drop"]
    )
    assert difference == pytest.approx(margin, abs=1e-8)
    assert careful.without_margin() == plain


def test_a_margin_refuses_what_the_limit_allows() -> None:
    assert Constraints(max_drop=3, min_saving=0).kept(drop=2.6, saving=0.1)
    assert not Constraints(max_drop=3, min_saving=0, margin=0.5).kept(drop=2.6, saving=0.1)
    assert Constraints(max_drop=3, min_saving=0, margin=0.5).kept(drop=2.5, saving=0.1)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"max_drop": -1}, "max-drop is in percentage points, between 0 and 100; got -1"),
        ({"max_drop": math.nan}, "max-drop"),
        ({"max_drop": math.inf}, "max-drop"),
        ({"min_saving": 26.68}, r"fraction of the model's bytes.*got 26.68"),
        ({"min_saving": 1.0}, "below 1"),
        ({"min_saving": math.nan}, "min-saving"),
        ({"margin": 4}, r"between 0 and max-drop \(3.0\) points, got 4"),
        ({"margin": -0.1}, "margin"),
        ({"margin": math.nan}, "margin"),
    ],
)
def test_nonsense_is_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(PrimeSVTError, match=text):
        Constraints(**values)
