"""A process that is dead, and a quiet Optuna."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import optuna
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

# Not waiting for the disk: in a test only a process dies, not the machine.
event.listen(Engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))


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
