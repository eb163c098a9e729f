"""Short forms of limits and objectives."""

import argparse
import re

import pytest

from primesvt.search import Constraints
from primesvt.studies.commands.search_options import add_search, settings_of


@pytest.mark.parametrize(
    ("flag", "text", "number"),
    [
        ("--max-latency", "3.5ms", 3.5),
        ("--max-latency", "3.5", 3.5),
        ("--max-latency", "3500 us", 3.5),
        ("--max-latency", "3500\u00b5s", 3.5),
        ("--max-latency", "3500\u03bcs", 3.5),
        ("--max-latency", "0.0035s", 3.5),
        ("--max-energy", "8", 8.0),
        ("--max-energy", "8uJ", 8.0),
        ("--max-energy", "0.008 mJ", 8.0),
        ("--max-energy", "8e-6J", 8.0),
    ],
)
def test_times_and_energies(flag: str, text: str, number: float, capsys: pytest.CaptureFixture[str]) -> None:
    (most,) = settings(flag, text)[1].limits.values()
    assert most == pytest.approx(number)
    for wrong in (f"{text} or so", f"-{text}", f"{text}B"):
        with pytest.raises(SystemExit):
            settings(f"{flag}={wrong}")
        assert re.search("expected a number above 0, such as (3.5 or 3.5ms|8 or 8uJ), got", capsys.readouterr().err)


def settings(*words: str) -> tuple[tuple[str, ...], Constraints]:
    parser = argparse.ArgumentParser()
    add_search(parser)
    found = settings_of(parser.parse_args(words), "random", 0)
    return found.objectives, found.constraints


def test_they_stand_for_the_long_ones() -> None:
    long = settings(
        "--objectives", "energy,synops", "--limit", "size=1500000", "--limit", "synops=4e6", "--limit", "energy=8"
    )
    assert settings("--max-latency", "3.5ms", "--objective", "latency") == settings(
        "--limit", "latency=3.5", "--objectives", "latency"
    )
    objectives = ("--objective", "energy", "--objective", "memory", "--objective", "synops")
    short = settings(*objectives, "--max-bytes", "1.5MB", "--max-synops", "4M", "--max-energy", "8")
    assert short == long
    assert settings() == ((), Constraints())


def test_nonsense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings("--max-bytes", "none")
    assert "expected a number above 0, such as 1500000 or 1.5M, got 'none'" in capsys.readouterr().err
