"""Signals that end a process as Ctrl-C does: once, and none is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from primesvt.studies.running.interruption import leave_alone, stop_by

BOTH = signal.SIGUSR1, signal.SIGTERM


@pytest.fixture(autouse=True)
def armed() -> Iterator[None]:
    before, hook = [signal.getsignal(number) for number in BOTH], sys.unraisablehook
    stop_by(*BOTH)
    yield
    sys.unraisablehook = hook
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)


def sent(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)
    time.sleep(0.2)  # until they arrive


@pytest.mark.parametrize("number", BOTH)
def test_the_first_interrupts_and_no_other_one_does(number: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        sent(number)
    sent(*BOTH, *BOTH)


def test_two_at_once_are_one() -> None:
    """As where a terminal interrupts all processes, and the first of them the others."""
    code = """
import os, signal, time
from primesvt.studies.running.interruption import stop_by
both = signal.SIGINT, signal.SIGTERM
stop_by(*both)
signal.pthread_sigmask(signal.SIG_BLOCK, both)
for number in both:
    os.kill(os.getpid(), number)
try:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    time.sleep(5)
except KeyboardInterrupt:
    print("once")
time.sleep(0.2)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "once\n", "")


def test_one_that_is_dropped_comes_again() -> None:
    class Destroyed:
        def __del__(self) -> None:
            sent(BOTH[0])

    def destroy() -> None:
        Destroyed()
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        destroy()
    sent(*BOTH)


def test_what_else_is_dropped_is_told_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    class Destroyed:
        def __del__(self) -> None:
            raise ValueError("as ever")

    Destroyed()
    assert "as ever" in capsys.readouterr().err


def test_in_the_end_they_do_nothing() -> None:
    leave_alone(*BOTH)
    sent(*BOTH)


def test_one_that_is_ignored_stays_so() -> None:
    """As Ctrl-C is by what a shell runs in the background."""
    signal.signal(BOTH[0], signal.SIG_IGN)
    stop_by(*BOTH)
    sent(BOTH[0])
    with pytest.raises(KeyboardInterrupt):
        sent(BOTH[1])
    assert signal.getsignal(BOTH[0]) == signal.SIG_IGN
