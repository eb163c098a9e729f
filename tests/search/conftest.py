"""A process that is dead, and a quiet Optuna."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import optuna
import pytest


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
