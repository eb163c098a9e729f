"""The options of a search and the settings that they make."""

import argparse
from dataclasses import dataclass

import optuna
import pytest

from primesvt.models import PrimeSVTError
from primesvt.models.options import option
from primesvt.search import Constraints
from primesvt.search.samplers import PRIORITIZED, SAMPLERS, PrioritizedOptions, SamplerKind
from primesvt.studies.commands import search_options
from primesvt.studies.running import settings
from primesvt.studies.running.settings import StudySettings


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    search_options.add_search(made)
    return made


def test_a_search_without_options_is_the_default_one(parser) -> None:
    args = parser.parse_args([])
    assert search_options.settings_of(args, "tpe", 0) == StudySettings(sampler="tpe")


def test_every_option_arrives_in_the_settings(parser) -> None:
    given = "--max-drop 1 --min-saving 0.5 --margin 0.25 --risk 0.01 --images 7 --layers a,b --embedding --step 0.1"
    more = "--max-ratio 0.8 --criterion l1 --calibration 9 --limit state-bytes=5 --limit parameters=7"
    found = search_options.settings_of(parser.parse_args(f"{given} {more}".split()), "random", 3)
    assert found == StudySettings(
        sampler="random",
        seed=3,
        constraints=Constraints(max_drop=1, min_saving=0.5, margin=0.25, limits={"state-bytes": 5, "parameters": 7}),
        calibration=9,
        risk=0.01,
        images=7,
        layers=("a", "b"),
        embedding=True,
        step=0.1,
        max_ratio=0.8,
        criterion="l1",
    )


def test_limits_that_make_no_sense_are_refused(parser) -> None:
    with pytest.raises(PrimeSVTError, match=r"min-saving is a fraction of the model's bytes .* got 26.68"):
        search_options.settings_of(parser.parse_args(["--min-saving", "26.68"]), "tpe", 0)


@dataclass(frozen=True, kw_only=True)
class Theirs:
    slack: float = option(1.0, help="theirs")
    luck: int = option(2, help="theirs alone")
    hidden: int = 3


def test_the_options_of_every_sampler_are_flags(monkeypatch) -> None:
    """One that two samplers have is one flag, and not given it is the default of each."""
    kind = SamplerKind(name="lucky", summary="", make=lambda *_: optuna.samplers.RandomSampler(), options=Theirs)
    known = {**SAMPLERS, "lucky": kind}
    monkeypatch.setattr(search_options, "samplers", lambda: known)
    for module in (search_options, settings):
        monkeypatch.setattr(module, "sampler_kind", known.__getitem__)
    made = argparse.ArgumentParser(exit_on_error=False)
    search_options.add_search(made)

    def chosen(text: str) -> list[object]:
        args = made.parse_args(text.split())
        return [search_options.settings_of(args, name, 0).options for name in (PRIORITIZED.name, "lucky")]

    assert chosen("") == [PrioritizedOptions(), Theirs()]
    assert chosen("--rates 0.2,0.5 --exhaust --slack 3 --luck 4") == [
        PrioritizedOptions(rates=(0.2, 0.5), slack=3.0, exhaust=True),
        Theirs(slack=3.0, luck=4),
    ]
    assert "--hidden" not in made.format_help()


def test_a_broken_addition_of_another_package_is_nobody_elses_trouble(monkeypatch) -> None:
    def broken() -> None:
        raise PrimeSVTError("cannot be imported")

    monkeypatch.setattr(search_options, "samplers", broken)
    monkeypatch.setattr(search_options, "measures", broken)
    made = argparse.ArgumentParser(exit_on_error=False)
    search_options.add_search(made)
    assert search_options.settings_of(made.parse_args([]), PRIORITIZED.name, 0) == StudySettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("state-bytes", "expected MEASURE=MOST"),
        ("luck=3", "Unknown measure"),
        ("latency=3.5kg", "expected a number above 0, such as 3.5 or 3.5ms, got '3.5kg'"),
        ("parameters=few", "expected a number above 0, such as 1500000 or 1.5M, got 'few'"),
        ("parameters=-3", "expected a number above 0, such as 1500000 or 1.5M, got '-3'"),
    ],
)
def test_a_limit_is_a_measure_and_a_number(parser, text, message) -> None:
    with pytest.raises(argparse.ArgumentError, match=message):
        parser.parse_args(["--limit", text])


def test_a_limit_has_the_units_of_its_measure(another_measure, capsys) -> None:
    made = argparse.ArgumentParser()
    search_options.add_search(made)
    words = ["--limit=size=800KiB", "--limit=latency=3500us", "--limit=busiest=2.5bursts"]
    limits = search_options.settings_of(made.parse_args(words), "random", 0).constraints.limits
    assert limits == pytest.approx({"size": 800 * 1024, "latency": 3.5, another_measure.name: 250})
    with pytest.raises(SystemExit):
        made.parse_args(["--limit", "busiest=2.5ms"])
    error = capsys.readouterr().err.splitlines()[-1]
    said = "expected a number above 0, such as 90 or 2bursts, got '2.5ms'; units are bursts, spikes"
    assert error.endswith(f": error: argument --limit: {said}")


def test_a_sampler_goes_by_its_name() -> None:
    assert search_options.sampler_name("tpe") == "tpe"
    with pytest.raises(argparse.ArgumentTypeError, match=r"nknown sampler .best.; known are .*tpe"):
        search_options.sampler_name("best")
