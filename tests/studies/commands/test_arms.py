"""Arms of a comparison from a command line."""

import argparse

import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.commands import compare
from primesvt.studies.commands.arms import arms


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    return parser.parse_args(["demo", "-o", "out", *words])


def names(*words: str) -> list[str]:
    return [arm.name for arm in arms(parsed(*words))]


def test_an_arm_names_its_space_and_start() -> None:
    found = arms(parsed("--samplers", "tpe+ratios,tpe+budget,tpe+budget+uniform"))
    said = [(arm.settings.chosen_space, arm.settings.chosen_start) for arm in found]
    assert said[0][0] == "ratios"
    assert said[1][0] == "budget"
    assert said[2] == ("budget", "uniform")
    assert [arm.name for arm in found] == ["tpe+ratios", "tpe", "tpe+uniform"]
    assert names("--samplers", "tpe,tpe+budget") == ["tpe"]


def test_flags_are_for_those_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    mine, drawn = arms(parsed("--samplers", "prioritized,random", "--space", "budget", "--start", "uniform"))
    assert (mine.name, mine.settings.chosen_space, mine.settings.chosen_start) == ("prioritized", "ratios", "none")
    assert (drawn.settings.chosen_space, drawn.settings.chosen_start) == ("budget", "uniform")
    assert "--space budget is for the others: prioritized has a course of its own" in capsys.readouterr().err


def test_an_arm_goes_before_the_flags() -> None:
    (arm,) = arms(parsed("--samplers", "tpe+ratios", "--space", "budget"))
    assert arm.settings.chosen_space == "ratios"


def test_those_that_begin_with_the_policys_plan_come_last() -> None:
    assert names("--samplers", "random+policy,prioritized")[-1].startswith("random+")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("tpe+fast", "Unknown 'fast' in the arm 'tpe\\+fast'"),
        ("prioritized+budget", "chooses ratios itself"),
        ("bohb+budget", "Unknown sampler 'bohb'"),
    ],
)
def test_what_no_sampler_can_is_refused(text: str, error: str) -> None:
    with pytest.raises(PrimeSVTError, match=error):
        arms(parsed("--samplers", text))
