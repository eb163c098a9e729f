"""What is said to a person meanwhile."""

import pytest

from primesvt.studies.running.console import console, duration, out, say, tell_of_kernel, warn


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89.4, "89 s"), (90, "2 min"), (5340, "89 min"), (5400, "1 h 30 min"), (7320, "2 h 02 min")],
)
def test_times(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_warning_is_heard_where_all_is_quiet(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    warn("[beware]")
    assert capsys.readouterr().err == "[beware]\n"
    monkeypatch.setattr(console, "quiet", True)
    say("nobody hears this")
    with pytest.warns(UserWarning, match="beware"):
        warn("beware")
    assert capsys.readouterr().err == ""


def test_results_and_kernels_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    out("a result")
    tell_of_kernel(1, 7)
    tell_of_kernel(2, 7)
    told = capsys.readouterr()
    assert told.out == "a result\n"
    first, second = told.err.splitlines()
    assert first.startswith("The first use on a machine compiles kernels")
    assert first.endswith("kernel 1 of at most 7")
    assert second == "  kernel 2 of at most 7"
