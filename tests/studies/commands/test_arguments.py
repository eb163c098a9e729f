"""Options that several commands share."""

import argparse
from dataclasses import dataclass

import optuna
import pytest

from primesvt.models import PrimeSVTError
from primesvt.models.options import option
from primesvt.search import DEFAULT_CACHE, Constraints
from primesvt.search.samplers import PRIORITIZED, SAMPLERS, PrioritizedOptions, SamplerKind
from primesvt.studies.commands import arguments
from primesvt.studies.running import settings
from primesvt.studies.running.settings import StudySettings

READERS = (
    (arguments.positive, "3", 3),
    (arguments.names, "a, b,,", ("a", "b")),
    (arguments.device, "cuda:1", "cuda:1"),
    (arguments.device, "auto", "auto"),
    (arguments.cache_size, "0", 0),
    (arguments.cache_size, "1.5", 3 * 2**19),
    (arguments.sampler_name, "tpe", "tpe"),
)
REFUSED = (
    (arguments.positive, "0", "expected a whole number of at least 1, got '0'"),
    (arguments.positive, "-1", "at least 1"),
    (arguments.positive, "1.0", "a whole number"),
    (arguments.device, "tpu", "expected cpu, cuda, cuda:N or auto, got 'tpu'"),
    (arguments.device, "cuda:", "got 'cuda:'"),
    (arguments.cache_size, "-1", "expected a number of MiB, from 0 to 1,073,741,824, got '-1'"),
    (arguments.cache_size, "nan", "got 'nan'"),
    (arguments.cache_size, "all", "got 'all'"),
    (arguments.sampler_name, "best", "nknown sampler 'best'; known are .*tpe"),
)


@pytest.mark.parametrize(("read", "text", "value"), READERS)
def test_text_is_read(read, text, value) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("read", "text", "message"), REFUSED)
def test_text_that_means_nothing_is_refused(read, text, message) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        read(text)


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    arguments.add_search(made)
    arguments.add_cache(made)
    return made


def test_a_search_without_options_is_the_default_one(parser) -> None:
    args = parser.parse_args([])
    assert arguments.settings_of(args, "tpe", 0) == StudySettings(sampler="tpe")
    assert args.cache == DEFAULT_CACHE


def test_every_option_arrives_in_the_settings(parser) -> None:
    given = "--max-drop 1 --min-saving 0.5 --margin 0.25 --risk 0.01 --images 7 --layers a,b --embedding --step 0.1"
    more = "--max-ratio 0.8 --criterion l1 --calibration 9 --limit state-bytes=5 --limit parameters=7"
    found = arguments.settings_of(parser.parse_args(f"{given} {more}".split()), "random", 3)
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
        arguments.settings_of(parser.parse_args(["--min-saving", "26.68"]), "tpe", 0)


def test_a_result_is_printed_as_it_was_asked_for(capsys) -> None:
    for json, text in ((False, "three\n"), (True, '{"count": 3}\n')):
        arguments.print_result(argparse.Namespace(json=json), {"count": 3}, "three")
        assert capsys.readouterr().out == text


@dataclass(frozen=True, kw_only=True)
class Theirs:
    slack: float = option(1.0, help="theirs")
    luck: int = option(2, help="theirs alone")
    hidden: int = 3


def test_the_options_of_every_sampler_are_flags(monkeypatch) -> None:
    """One that two samplers have is one flag, and not given it is the default of each."""
    kind = SamplerKind(name="lucky", summary="", make=lambda *_: optuna.samplers.RandomSampler(), options=Theirs)
    known = {**SAMPLERS, "lucky": kind}
    monkeypatch.setattr(arguments, "samplers", lambda: known)
    for module in (arguments, settings):
        monkeypatch.setattr(module, "sampler_kind", known.__getitem__)
    made = argparse.ArgumentParser(exit_on_error=False)
    arguments.add_search(made)

    def chosen(text: str) -> list[object]:
        args = made.parse_args(text.split())
        return [arguments.settings_of(args, name, 0).options for name in (PRIORITIZED, "lucky")]

    assert chosen("") == [PrioritizedOptions(), Theirs()]
    assert chosen("--rates 0.2,0.5 --exhaust --slack 3 --luck 4") == [
        PrioritizedOptions(rates=(0.2, 0.5), slack=3.0, exhaust=True),
        Theirs(slack=3.0, luck=4),
    ]
    assert "--hidden" not in made.format_help()


def test_a_broken_addition_of_another_package_is_nobody_elses_trouble(monkeypatch) -> None:
    def broken() -> None:
        raise PrimeSVTError("cannot be imported")

    monkeypatch.setattr(arguments, "samplers", broken)
    monkeypatch.setattr(arguments, "measures", broken)
    made = argparse.ArgumentParser(exit_on_error=False)
    arguments.add_search(made)
    assert arguments.settings_of(made.parse_args([]), PRIORITIZED, 0) == StudySettings()


@pytest.mark.parametrize(("text", "message"), [("state-bytes", "expected MEASURE=MOST"), ("luck=3", "Unknown measure")])
def test_a_limit_is_a_measure_and_a_number(parser, text, message) -> None:
    with pytest.raises(argparse.ArgumentError, match=message):
        parser.parse_args(["--limit", text])
