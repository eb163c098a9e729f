"""A process that is dead, and a quiet Optuna."""

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import optuna
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine


@event.listens_for(Engine, "connect")
def _do_not_wait_for_the_disk(connection: object, _: object) -> None:
    """In a test only a process dies, not the machine."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


@pytest.fixture(scope="session")
def dead_worker() -> str:
    """What a process signs that has been killed since."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process.pid != os.getpid()
    return f"{socket.gethostname()}:{process.pid}:0:1"
