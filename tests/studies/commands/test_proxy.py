"""The proxy of a database; how workers fare with one is tested where storages are opened."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import optuna
import pytest
from optuna.storages import BaseStorage

from primesvt.studies.commands import proxy

from ...conftest import Ran
from ...postgresql import free_port


def test_it_serves_a_database_and_knows_its_trials(primesvt: Callable[..., Ran], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    made = optuna.create_study(study_name="s", storage=url)
    begun = made.ask()
    served: list[BaseStorage] = []
    with mock.patch.object(proxy, "run_grpc_proxy_server", lambda storage, **_: served.append(storage)):
        done = primesvt("proxy", "--storage", url, "--port", str(port := free_port()))
    assert (done.code, done.out) == (0, "")
    assert f"Proxy of {url}: grpc://127.0.0.1:{port}" in done.err
    # Optuna's cache knows no parameters of a trial that it has not read.
    served[0].set_trial_param(begun._trial_id, "x", 0.5, optuna.distributions.FloatDistribution(0, 1))
    assert made.trials[0].params == {"x": 0.5}


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    """A signal that is not ignored, as SIGINT is for what a shell runs in the background: a proxy leaves that alone."""
    outside = signal.signal(request.param, signal.default_int_handler)
    yield request.param
    signal.signal(request.param, outside)


def test_it_ends_at_once(primesvt: Callable[..., Ran], tmp_path: Path, number: int) -> None:
    """Whoever asks it just then is not waited for."""
    before = signal.getsignal(number)
    with (
        mock.patch.object(proxy, "run_grpc_proxy_server", side_effect=lambda *_, **__: signal.raise_signal(number)),
        mock.patch.object(os, "_exit") as end,
    ):
        assert primesvt("proxy", "--storage", f"{tmp_path}/s.db", "--port", str(free_port())).code == 0
    end.assert_called_once_with(130)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("storage", ["{}/s.log", "redis://host", "grpc://host:1"])
def test_only_databases_need_one(primesvt: Callable[..., Ran], tmp_path: Path, storage: str) -> None:
    done = primesvt("proxy", "--storage", storage.format(tmp_path))
    assert done.code == 2
    assert "A proxy stands before a database, not before" in done.err


def test_a_port_that_is_taken(primesvt: Callable[..., Ran], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = primesvt("proxy", "--storage", f"{tmp_path}/s.db", "--port", str(port))
    assert done.code == 2
    assert f"Nothing can listen on 127.0.0.1:{port}: Address already in use." in done.err
