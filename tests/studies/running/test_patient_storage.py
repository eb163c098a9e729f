"""A server that stops is waited for, that is said once, and nothing is done twice."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from primesvt.studies.running import patient_storage
from primesvt.studies.running.patient_storage import TOKEN, PatientStorage
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.servers import Server
from primesvt.studies.running.signing_storage import SigningStorage
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...postgresql import PostgreSQL, free_port
from ...search.models import tiny_model
from ...search.synthetic import plans
from .test_runner import SETTINGS


class GoneError(Exception):
    """The server does not answer."""


class Failing(InMemoryStorage):
    """A server that stops before, or after, it has done what it was asked."""

    def __init__(self, times: int = 1, *, done: bool = False, only: str = "") -> None:
        super().__init__()
        self._times, self._done, self._only = times, done, only

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name.startswith("_") or name != self._only or self._times == 0:
            return value
        self._times -= 1

        def call(*args: Any, **options: Any) -> Any:
            if self._done:
                value(*args, **options)
            raise GoneError("the door is shut")

        return call


def patient(inner: BaseStorage, patience: float = 60, renewals: list[int] | None = None) -> PatientStorage:
    def renew(storage: BaseStorage) -> BaseStorage:
        if renewals is not None:
            renewals.append(1)
        return storage

    server = Server(inner, lambda error: str(error) if isinstance(error, GoneError) else None, renew)
    return PatientStorage(server, "The storage s", patience)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_storage, "_PAUSES", (0.0,))


def test_it_is_a_storage_like_any_other() -> None:
    study = optuna.create_study(study_name="s", storage=patient(InMemoryStorage()))
    study.enqueue_trial({"x": 0.5}, user_attrs={"a": 1})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    assert [t.number for t in study.trials] == [0, 1, 2]
    assert study.trials[0].params == {"x": 0.5}
    assert study.trials[0].user_attrs == {"a": 1}
    assert len({t.system_attrs[TOKEN] for t in study.trials}) == 3
    assert study.best_trial.value == min(t.value for t in study.trials if t.value is not None)


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(
    "method",
    ["create_new_study", "create_new_trial", "set_trial_param", "set_trial_user_attr", "set_trial_state_values",
     "set_study_user_attr", "get_all_trials"],
)  # fmt: skip
def test_whatever_breaks_nothing_is_done_twice(method: str, *, done: bool, capsys: pytest.CaptureFixture[str]) -> None:
    storage = patient(Failing(2, done=done, only=method))
    study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True)
    study.set_user_attr("b", 2)
    for number in range(2):
        trial = study.ask()
        trial.set_user_attr("a", number)
        study.tell(trial, trial.suggest_float("x", 0, 1))
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 2
    assert [t.user_attrs["a"] for t in study.trials] == [0, 1]
    assert study.user_attrs["b"] == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("The storage")]
    if not done:  # what was done at the first try is found at the second
        assert said[0] == "The storage s does not answer: the door is shut. Waiting for it, up to 60 s."
        assert said[1].startswith("The storage s answers again, after ")
    assert len(said) in (0, 2)


@pytest.mark.parametrize("done", [False, True])
def test_a_trial_that_waits_is_begun_once_and_not_lost(*, done: bool) -> None:
    storage = SigningStorage(patient(Failing(1, done=done, only="set_trial_state_values")))
    study = optuna.create_study(study_name="s", storage=storage)
    study.enqueue_trial({"x": 0.5})
    assert study.ask().number == 0
    assert study.ask().number == 1


def test_a_connection_that_broke_is_not_spoken_of(capsys: pytest.CaptureFixture[str]) -> None:
    patient(Failing(1, only="get_all_studies")).get_all_studies()
    assert capsys.readouterr().err == ""


def test_it_is_made_ready_before_every_further_try() -> None:
    renewals: list[int] = []
    patient(Failing(4, only="get_all_studies"), renewals=renewals).get_all_studies()
    assert len(renewals) == 3


def test_in_the_end_it_gives_up() -> None:
    with pytest.raises(StorageInternalError, match="the door is shut"):
        patient(Failing(10, only="get_all_studies"), patience=0).get_all_studies()


def test_who_interrupts_the_waiting_does_not_wait_for_the_end_of_the_trial() -> None:
    storage = patient(Failing(10**9, only="set_trial_state_values"), patience=3600)
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    with mock.patch.object(time, "sleep", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        study.tell(trial, 0.0)
    with pytest.raises(StorageInternalError, match="the door is shut"):
        study.tell(trial, state=TrialState.FAIL)


def test_a_trial_that_somebody_else_has_ended_is_not_ours() -> None:
    inner = Failing(2, only="set_trial_state_values")
    study = optuna.create_study(storage=patient(inner))
    number = study.ask().number
    with mock.patch.object(time, "sleep", side_effect=lambda _: _fail(inner)), pytest.raises(UpdateFinishedTrialError):
        study.tell(number, 0.0)


def _fail(storage: InMemoryStorage) -> None:
    if storage.get_trial(0).state == TrialState.RUNNING:
        InMemoryStorage.set_trial_state_values(storage, 0, TrialState.FAIL)


def test_other_errors_are_raised_at_once() -> None:
    with pytest.raises(KeyError):
        patient(InMemoryStorage()).get_study_id_from_name("nobody's")
    inner = Failing(2, only="get_study_id_from_name")
    with pytest.raises(KeyError):
        patient(inner).get_study_id_from_name("nobody's")


# With a real server.


@pytest.fixture
def back_later(postgresql: PostgreSQL) -> Iterator[Callable[[float], None]]:
    """Stops the server, and starts it after so many seconds."""
    threads: list[threading.Thread] = []

    def begin(seconds: float) -> None:
        postgresql.stop()
        threads.append(threading.Timer(seconds, postgresql.start))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


def test_postgresql_that_comes_back(
    database: str, back_later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    study = optuna.create_study(study_name="s", storage=open_storage(database, patience=30))
    trial = study.ask()
    back_later(0.5)
    trial.set_user_attr("a", 1)
    study.tell(trial, 0.0)
    assert study.trials[0].user_attrs == {"a": 1}
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("The storage")]
    assert len(said) == 2
    assert said[0].startswith(f"The storage {database} does not answer: connection failed")
    assert said[0].endswith("Waiting for it, up to 30 s.")


@pytest.mark.slow
def test_a_search_through_a_stop_of_the_server(
    database: str, back_later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stops = {3: 0.5, 5: 60.0}  # in evaluations, at which nothing is asked of the server, for so many seconds
    count = 0

    def on_batch(_: int) -> None:
        nonlocal count
        count += 1
        if count in stops:
            back_later(stops[count])

    subject = Subject(tiny_model(), noisy_data())
    options = RunOptions(trials=100, on_batch=on_batch)
    through = run_study("s", open_storage(database), subject, SETTINGS, options)
    whole = run_study("s", InMemoryStorage(), subject, SETTINGS, RunOptions(trials=100))
    assert plans(through.study) == plans(whole.study)
    assert {t.state for t in through.study.trials} == {TrialState.COMPLETE}
    assert capsys.readouterr().err.count("does not answer") == 2


@pytest.fixture
def proxies(tmp_path: Path) -> Iterator[Callable[[int], "subprocess.Popen[bytes]"]]:
    """Starts a proxy of a database of its own on a port."""
    pytest.importorskip("grpc")
    started: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-W", "ignore", "-m", "primesvt.studies.main", "proxy", "--storage", f"{tmp_path}/s.db"]

    def start(port: int) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_search_through_a_stop_of_its_proxy(
    proxies: Callable[[int], "subprocess.Popen[bytes]"], capsys: pytest.CaptureFixture[str]
) -> None:
    port, count = free_port(), 0
    first = proxies(port)
    while not listens(port):
        time.sleep(0.1)

    def on_batch(_: int) -> None:
        nonlocal count
        count += 1
        if count == 5:
            first.terminate()
            first.wait(timeout=10)
            proxies(port)

    subject = Subject(tiny_model(), noisy_data())
    options = RunOptions(trials=100, on_batch=on_batch)
    through = run_study("s", open_storage(f"grpc://127.0.0.1:{port}"), subject, SETTINGS, options)
    whole = run_study("s", InMemoryStorage(), subject, SETTINGS, RunOptions(trials=100))
    assert plans(through.study) == plans(whole.study)
    assert {t.state for t in through.study.trials} == {TrialState.COMPLETE}
    assert capsys.readouterr().err.count("does not answer") == 1


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
