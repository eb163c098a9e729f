"""Studies side by side: processes on this machine, each of which runs whole studies.

A study is run by one process from its first trial to its last, so it has the trials that it has when studies run one
after the other. Workers that share a study share its trials, which a sampler that learns from them notices.

A process that ends before its time ends the others, and its parent's end ends it: nobody is left behind who would go on
with a study that the next command takes up.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

import psutil
import torch

from primesvt.models import PrimeSVTError
from primesvt.models.layers.compiling import compilations

from ..exit_codes import INTERRUPTED
from .arm import Arm
from .console import console, plain_warnings, say, tell_of_kernel
from .failures import explained
from .interruption import leave_alone, stop_by
from .process import keep_freed_memory
from .runner import RunOptions, Status, run_study
from .storage import open_storage
from .subject import Subject

# More than this are started only where that is said: each has a model, its activations and PyTorch in memory.
MOST = 4
# Memory that one is reckoned with, in bytes.
_MEMORY = 2 * 2**30
_PATIENCE_SECONDS = 60.0
# What bounds the threads of the libraries that compute; they read it when they are loaded.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Processes:
    """Who runs studies side by side.

    Args:
        count: How many processes; they share the threads of this one, and its memory for activations.
        subject: How each gets model and data set; it can be pickled.
        storage: URL of the storage.
    """

    count: int
    subject: Callable[[], Subject]
    storage: str


def fitting(studies: int) -> int:
    """How many processes suit so many studies on this machine: one for each thread that PyTorch would take."""
    room = psutil.virtual_memory().available // _MEMORY
    return max(1, min(studies, torch.get_num_threads(), room, MOST))


def run_side_by_side(
    processes: Processes,
    studies: Mapping[int, Arm],
    options: RunOptions,
    on_status: Callable[[int, Status], None],
    on_end: Callable[[int], None],
) -> None:
    """Run studies until each has all its trials.

    Args:
        processes: Who runs them.
        studies: What to run, by whatever numbers, in the order in which they begin.
        options: Their cache and their device; the cache is shared out.
        on_status: Called with a study's number and where it is, before its first trial and after each.
        on_end: Called with the number of a study that has all its trials.

    Raises:
        PrimeSVTError: A study cannot run, or a process was killed.
        KeyboardInterrupt: The user stopped it; all finished trials stay.
    """
    count = min(processes.count, len(studies))
    share = replace(options, cache=options.cache // count, on_status=_nothing, on_batch=_nothing, on_table=_nothing)
    threads = max(1, torch.get_num_threads() // count)
    crew = _Crew(studies, {"status": on_status, "ended": on_end, "say": say, "failed": _fail})
    try:
        with _environment(dict.fromkeys(_THREADS, str(threads))):
            for number in range(count):
                crew.engage(processes, share, tells=number == 0)
        crew.work()
    finally:
        crew.dismiss()


class _Crew:
    """The processes, and what each is at.

    Args:
        studies: What to run.
        heard: What is done about what they say, by its kind.
    """

    def __init__(self, studies: Mapping[int, Arm], heard: Mapping[str, Callable[..., None]]) -> None:
        self._studies, self._heard = dict(studies), heard
        self._next = iter(self._studies)
        self._members: dict[Connection, BaseProcess] = {}
        self._at: dict[Connection, int | None] = {}

    def engage(self, processes: Processes, options: RunOptions, *, tells: bool) -> None:
        """Start a process, and give it a study."""
        context = get_context("spawn")  # threads of PyTorch and of numba do not survive a fork
        ours, its = context.Pipe()
        arguments = its, processes, self._studies, options, tells
        member = context.Process(target=_work, args=arguments, name="primesvt-studies")
        member.start()
        its.close()
        self._members[ours] = member
        self._give(ours)

    def work(self) -> None:
        """Hear what they say until no study is left."""
        while busy := [wire for wire, study in self._at.items() if study is not None]:
            for wire in wait(busy):
                assert isinstance(wire, Connection)  # noqa: S101 - what it was given
                try:
                    kind, *told = wire.recv()
                except (EOFError, OSError):
                    self._lost(wire)
                self._heard[kind](*told)
                if kind == "ended":
                    self._give(wire)

    def dismiss(self) -> None:
        """Let them put in order what they are at, and wait for that."""
        for wire, member in self._members.items():
            if self._at.get(wire) is not None and member.is_alive():
                member.terminate()
        for wire, member in self._members.items():
            wire.close()
            member.join(_PATIENCE_SECONDS)
            if member.is_alive():
                member.kill()

    def _give(self, wire: Connection) -> None:
        self._at[wire] = next(self._next, None)
        with suppress(ConnectionError):  # its end is noticed where it is heard
            wire.send(self._at[wire])

    def _lost(self, wire: Connection) -> NoReturn:
        study, member = self._at[wire], self._members[wire]
        member.join(_PATIENCE_SECONDS)
        if member.exitcode == INTERRUPTED:
            raise KeyboardInterrupt
        name = "" if study is None else self._studies[study].name
        killed = member.exitcode == -signal.SIGKILL
        how = "was killed, as happens where memory runs out" if killed else f"ended with exit code {member.exitcode}"
        raise PrimeSVTError(
            f"The process that ran {name} {how}. All finished trials are kept, and the same command goes on; "
            "--processes 1 runs one study at a time, and needs less memory."
        )


def _fail(text: str) -> None:
    raise PrimeSVTError(text)


def _nothing(*_: Any) -> None:
    """Nobody is told."""


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables that processes find which are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(wire: Connection, processes: Processes, studies: Mapping[int, Arm], options: RunOptions, tells: bool) -> None:
    """What a process does: run the studies whose numbers it is told, and tell of them."""
    stop_by(signal.SIGINT, signal.SIGTERM)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    console.file, code = _Sent(wire), INTERRUPTED
    # Whoever interrupted it says so.
    with suppress(KeyboardInterrupt), plain_warnings(), compilations(tell_of_kernel if tells else _nothing):
        _run_all(wire, processes, studies, options)
        code = 0
    leave_alone(signal.SIGINT, signal.SIGTERM)
    sys.exit(code)


def _run_all(wire: Connection, processes: Processes, studies: Mapping[int, Arm], options: RunOptions) -> None:
    try:
        subject, storage = processes.subject(), open_storage(processes.storage)
        shared = replace(options, evaluators=[])
        while (study := _next(wire)) is not None:
            each = studies[study]
            own = replace(shared, trials=each.trials, on_status=_teller(wire, study))
            if run_study(each.name, storage, subject, each.settings, own).interrupted:
                raise KeyboardInterrupt
            _tell(wire, "ended", study)
    except Exception as error:
        text = explained(error)
        if text is None:
            raise
        _tell(wire, "failed", text)


def _next(wire: Connection) -> int | None:
    """The number of the next study; None where there is none."""
    try:
        study: int | None = wire.recv()
    except (EOFError, OSError):
        raise KeyboardInterrupt from None  # the parent has gone
    return study


def _tell(wire: Connection, *told: Any) -> None:
    try:
        wire.send(told)
    except OSError:
        raise KeyboardInterrupt from None  # the parent has gone


def _teller(wire: Connection, study: int) -> Callable[[Status], None]:
    return lambda status: _tell(wire, "status", study, status)


def _end_with_parent() -> None:
    """Whoever is left behind would go on with a study that the next command takes up."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class _Sent(StringIO):
    """A file whose lines another process says.

    Args:
        wire: To that process.
    """

    def __init__(self, wire: Connection) -> None:
        super().__init__()
        self._wire = wire

    def write(self, text: str) -> int:
        """Send it."""
        if text.strip():
            _tell(self._wire, "say", text.rstrip("\n"))
        return len(text)
