"""Who runs a trial: to tell a trial that runs from one whose process was killed, which runs for ever."""

import os
import socket
import threading
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from .optuna_private import write_system_attr

WORKER = "primesvt:worker"

# A new process may get the number of one that died, above all in a container.
_START = uuid.uuid4().hex[:8]


def this_worker() -> str:
    """Host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{_START}:{threading.get_ident()}"


def sign(study: optuna.Study, trial: FrozenTrial) -> None:
    """Write into a trial who runs it."""
    write_system_attr(study, trial, WORKER, this_worker())


def is_running(trial: FrozenTrial) -> bool:
    """Whether a trial may still finish: its state says so, and its process lives as far as can be told from here."""
    if trial.state != TrialState.RUNNING:
        return False
    worker = trial.system_attrs.get(WORKER)
    if worker is None:
        # Just being started, or not by a sampler that signs.
        return trial.datetime_start is not None and datetime.now() - trial.datetime_start < timedelta(minutes=1)
    host, pid, start, _ = worker.rsplit(":", 3)
    if host != socket.gethostname():
        return True
    return start == _START if int(pid) == os.getpid() else _lives(int(pid))


def fail_dead_trials(study: optuna.Study) -> None:
    """Mark signed trials as failed whose process is gone: samplers that reckon with running trials wait for them."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if WORKER in trial.system_attrs and not is_running(trial):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def is_mine(trial: FrozenTrial) -> bool:
    """Whether this very thread runs the trial."""
    return bool(trial.system_attrs.get(WORKER) == this_worker())


def _lives(pid: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A killed process that its parent has not waited for has a number still: state Z.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return True
