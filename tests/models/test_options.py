"""Fields that carry their help, type and range."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.models.options import check_options, option, options


@dataclass(frozen=True, kw_only=True)
class Settings:
    max_drop: float = option(3.0, help="points", meaning="in percentage points", least=0, most=100)
    epochs: int = option(3, help="passes", least=1)
    rate: float = option(0.1, help="of learning", above=0)
    risk: float = option(0.0, help="a probability", least=0, below=1)
    rates: tuple[float, ...] = option((0.1, 0.5), help="ratios", above=0, below=1)
    heads: tuple[int, ...] | None = option(None, help="heads", least=1)
    names: Sequence[str] | None = option(None, help="names")
    kind: Literal["token", "channel"] | None = option(None, help="kind")
    flip: bool = option(True, help="mirror")
    exhaust: bool = option(False, help="go on")
    spiking: bool | None = option(None, help="reads potentials", flag="potential", sets=False)
    no_option: int = 7

    def __post_init__(self) -> None:
        check_options(self)


BY_NAME = {each.name: each for each in options(Settings)}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"max_drop": -1}, r"^max-drop is in percentage points, between 0 and 100; got -1\.$"),
        ({"max_drop": math.nan}, "between 0 and 100; got nan"),
        ({"epochs": 0}, r"^epochs must be at least 1, got 0\.$"),
        ({"rate": 0}, "rate must be above 0 and finite, got 0"),
        ({"rate": math.inf}, "rate must be above 0 and finite, got inf"),
        ({"risk": 1}, "risk must be at least 0 and below 1, got 1"),
        ({"rates": (0.5, 1.5)}, "rates must be above 0 and below 1, got 1.5"),
        ({"heads": (2, 0)}, "heads must be at least 1, got 0"),
        ({"kind": "tokens"}, "kind must be token or channel, got 'tokens'"),
        ({"epochs": None}, "epochs must be at least 1, got None"),
    ],
)
def test_what_is_not_allowed_is_named(values: dict[str, Any], text: str) -> None:
    with pytest.raises(PrimeSVTError, match=text):
        Settings(**values)


def test_the_ends_of_a_range_belong_to_it_or_not() -> None:
    Settings(max_drop=0, epochs=1, risk=0, rates=())
    Settings(max_drop=100, rate=1e-9, heads=None, kind="channel")


@given(st.floats(allow_nan=True), st.floats(-10, 10), st.floats(0, 10))
def test_a_range_is_what_it_says(value: float, low: float, width: float) -> None:
    @dataclass(frozen=True)
    class One:
        x: float = option(0.0, help="x", above=low, most=low + width)

    if low < value <= low + width:
        options(One)[0].check(value)
    else:
        with pytest.raises(PrimeSVTError, match=r"^x must be above .* and at most .*, got"):
            options(One)[0].check(value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_drop", "1.5", 1.5),
        ("epochs", "12", 12),
        ("rates", "0.1, 0.9,", (0.1, 0.9)),
        ("heads", "4,8", (4, 8)),
        ("names", "a, b", ("a", "b")),
        ("kind", "token", "token"),
    ],
)
def test_text_becomes_a_value_of_the_type(name: str, text: str, value: Any) -> None:
    read = BY_NAME[name].read(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("max_drop", "much", "expected a number, got 'much'"),
        ("epochs", "1.5", "expected a whole number, got '1.5'"),
        ("rates", "0.1;0.2", "expected numbers separated by commas, such as 0.1,0.5, got '0.1;0.2'"),
        ("heads", "a", "expected whole numbers separated by commas"),
        ("heads", "", "expected whole numbers separated by commas, such as 2,4, got ''"),
        ("names", " , ", "expected names separated by commas, got ' , '"),
    ],
)
def test_text_that_means_no_value_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        BY_NAME[name].read(text)


def test_flags_follow_from_the_names() -> None:
    flags = {each.name: each.flag for each in options(Settings)}
    assert flags["max_drop"] == "max-drop"
    assert (flags["flip"], flags["exhaust"], flags["spiking"]) == ("no-flip", "exhaust", "potential")
    assert (BY_NAME["flip"].sets, BY_NAME["exhaust"].sets, BY_NAME["spiking"].sets) == (False, True, False)
    assert "no_option" not in flags
