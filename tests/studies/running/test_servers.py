"""Storages on servers: what is said where they are not there."""

import socket
import sys
import threading
import time

import optuna
import pytest
from optuna.storages import InMemoryStorage, run_grpc_proxy_server
from optuna.trial import TrialState
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from primesvt.models import PrimeSVTError
from primesvt.studies.running.servers import database_lost, timeouts
from primesvt.studies.running.storage import is_database, open_storage

from ...postgresql import PostgreSQL, free_port


def refused(url: str) -> str:
    with pytest.raises(PrimeSVTError) as caught:
        open_storage(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def proxy() -> int:
    """The port of a proxy of studies in memory, in a thread that ends with the tests."""
    return serve(InMemoryStorage())


def serve(storage: optuna.storages.BaseStorage) -> int:
    port = free_port()
    threading.Thread(
        target=run_grpc_proxy_server, args=(storage,), kwargs={"host": "127.0.0.1", "port": port}, daemon=True
    ).start()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return port


def test_a_study_through_a_proxy(proxy: int) -> None:
    url = f"grpc://127.0.0.1:{proxy}"
    study = optuna.create_study(study_name="s", storage=open_storage(url))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    again = optuna.load_study(study_name="s", storage=open_storage(url))
    assert [t.state for t in again.trials] == [TrialState.COMPLETE] * 3
    assert again.best_value == study.best_value


def test_no_proxy_there() -> None:
    url = f"grpc://127.0.0.1:{free_port()}"
    assert f"The storage {url} does not answer: [Errno 111] Connection refused." in refused(url)
    assert "does not answer" in refused("grpc://no-such-host.invalid:13000")


@pytest.mark.parametrize("url", ["grpc://", "grpc://:13000", "grpc://host:13000/name", "grpc://me:secret@host:1"])
def test_a_proxy_is_its_host_and_port(url: str) -> None:
    text = refused(url)
    assert "grpc://host:port" in text
    assert "secret" not in text


def test_what_listens_is_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primesvt.studies.running.servers.TIMEOUT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "what listens there is no proxy of Optuna" in refused(f"grpc://127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(("module", "missing"), [("grpc", "grpc"), ("google.protobuf", "google.protobuf")])
def test_modules_of_a_proxy_are_named(monkeypatch: pytest.MonkeyPatch, module: str, missing: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PrimeSVTError, match=rf'needs the module {missing}, .*pip install "primesvt\[grpc\]"'):
        open_storage("grpc://127.0.0.1:1")


def test_a_database_that_stops_behind_its_proxy(
    postgresql: PostgreSQL, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"grpc://127.0.0.1:{serve(open_storage(database, patience=0.0))}"
    study = optuna.create_study(study_name="s", storage=open_storage(url, patience=30))
    trial = study.ask()
    postgresql.stop()
    timer = threading.Timer(0.3, postgresql.start)
    timer.start()
    trial.set_user_attr("a", 1)
    timer.join()
    study.tell(trial, 0.0)
    assert study.trials[0].user_attrs == {"a": 1}
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("The storage")]
    assert len(lines) == 2
    assert lines[0].startswith(f"The storage {url} does not answer: connection failed")


def test_what_a_driver_says_of_a_server_that_is_gone() -> None:
    said = Exception("server closed the connection unexpectedly")
    for kind in (OperationalError, InterfaceError):
        error = kind("INSERT", {}, said)
        assert database_lost(error) == str(said)
        hidden = ValueError("An exception is raised during the commit.")
        hidden.__cause__ = error
        assert database_lost(hidden) == str(said)
    assert database_lost(ProgrammingError("INSERT", {}, said, connection_invalidated=True)) == str(said)
    assert database_lost(ProgrammingError("INSERT", {}, Exception("no permission"))) is None
    assert database_lost(KeyError()) is None


def test_no_driver_waits_for_ever() -> None:
    assert timeouts("psycopg") == {"connect_timeout": 10}
    assert timeouts("unheard of") == {}


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("s.db", True),
        ("sqlite:///s.db", True),
        ("postgresql://me@host/name", True),
        ("s.log", False),
        ("s.journal", False),
        ("redis://host", False),
        ("rediss://host", False),
        ("grpc://host:1", False),
    ],
)
def test_databases_by_their_urls(url: str, *, database: bool) -> None:
    assert is_database(url) is database
