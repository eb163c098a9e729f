"""Flags from the fields of a dataclass, and back."""

import argparse
from dataclasses import dataclass
from typing import Literal

import pytest

from primesvt.models import PrimeSVTError
from primesvt.models.options import check_options, option
from primesvt.studies.commands.options import add_options, options_of


@dataclass(frozen=True, kw_only=True)
class Settings:
    max_drop: float = option(3.0, help="3 % of it", metavar="POINTS", least=0, most=100)
    rates: tuple[float, ...] = option((0.1, 0.5), help="ratios", metavar="A,B,...")
    images: int | None = option(None, help="so many")
    kind: Literal["token", "channel"] = option("token", help="which one")
    flip: bool = option(True, help="do not mirror")
    exhaust: bool = option(False, help="go on")
    more: str = "no flag"

    def __post_init__(self) -> None:
        check_options(self)


def parser(**how: object) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    add_options(made, Settings, **how)
    return made


def test_nothing_given_is_the_default() -> None:
    assert options_of(parser().parse_args([]), Settings) == Settings()


def test_what_is_given_arrives() -> None:
    given = ["--max-drop", "1", "--rates", "0.2,0.3", "--images", "5", "--kind", "channel", "--no-flip", "--exhaust"]
    args = parser().parse_args(given)
    assert options_of(args, Settings, {"more": "said"}) == Settings(
        max_drop=1.0, rates=(0.2, 0.3), images=5, kind="channel", flip=False, exhaust=True, more="said"
    )


def test_a_command_may_have_some_flags_and_defaults_of_its_own() -> None:
    made = parser(only=("images", "max_drop"), defaults={"max_drop": 1.0}, unset={"images": "all"})
    assert options_of(made.parse_args([]), Settings, {"max_drop": 1.0}) == Settings(max_drop=1.0)
    given = made.parse_args(["--max-drop", "2"])
    assert options_of(given, Settings, {"max_drop": 1.0, "more": "said"}) == Settings(max_drop=2.0, more="said")
    text = made.format_help()
    assert "3 % of it (default: 1)" in text
    assert "so many (default: all)" in text
    assert "--exhaust" not in text


def test_the_help_says_the_default_of_what_has_one() -> None:
    text = parser().format_help()
    assert "--max-drop POINTS" in text
    assert "ratios (default: 0.1,0.5)" in text
    assert "{token,channel}" in text
    assert "do not mirror\n" in text
    assert "so many\n" in text


def test_two_classes_may_have_fields_of_one_name() -> None:
    made = parser()
    add_options(made, Settings, prefix="mine")
    args = made.parse_args(["--max-drop", "1", "--mine-max-drop", "2", "--mine-no-flip"])
    assert options_of(args, Settings) == Settings(max_drop=1.0)
    assert options_of(args, Settings, prefix="mine") == Settings(max_drop=2.0, flip=False)


@dataclass(frozen=True, kw_only=True)
class Others:
    images: int = option(7, help="other ones")


def test_one_flag_serves_two_classes_with_defaults_of_their_own() -> None:
    args = parser().parse_args([])
    assert (options_of(args, Settings).images, options_of(args, Others).images) == (None, 7)
    args = parser().parse_args(["--images", "3"])
    assert (options_of(args, Settings).images, options_of(args, Others).images) == (3, 3)


def test_bad_text_is_refused_by_the_parser_and_a_bad_value_by_the_class() -> None:
    with pytest.raises(argparse.ArgumentError, match="argument --rates: expected numbers separated by commas"):
        parser().parse_args(["--rates", "a"])
    with pytest.raises(PrimeSVTError, match="max-drop must be between 0 and 100, got 101"):
        options_of(parser().parse_args(["--max-drop", "101"]), Settings)
