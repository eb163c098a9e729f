"""Who runs a trial: to tell a trial that runs from one whose process was killed, which runs for ever.

Of a process on this host the system says whether it lives. One on another host is taken to live until the lease ends
that it wrote into the trial when it began: an hour, or twenty times what measuring the unpruned model took where that
is longer. Nobody renews it, as no plan takes so long; the hosts' clocks need to agree to within that hour only.
"""

import os
import socket
import threading
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from .attributes import BASELINE
from .optuna_private import write_system_attr

WORKER = "primesvt:worker"
# When its lease ends, in seconds since 1970.
LEASE_END = "primesvt:lease_end"

_SHORTEST_LEASE, _BASELINES = 3_600.0, 20
# Trials signed by an earlier version have no lease.
_OLD_LEASE = timedelta(days=1)
_SIGNING = timedelta(minutes=1)

# A new process may get the number of one that died, above all in a container.
_START = uuid.uuid4().hex[:8]


def this_worker() -> str:
    """Host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{_START}:{threading.get_ident()}"


def sign(study: optuna.Study, trial: FrozenTrial) -> None:
    """Write into a trial who runs it, and until when it is taken to run by other hosts."""
    baseline = study.user_attrs.get(BASELINE)  # where the study is somebody else's, it may be anything
    seconds = float(baseline.get("seconds", 0.0)) if isinstance(baseline, dict) else 0.0
    write_system_attr(study, trial, LEASE_END, time.time() + max(_SHORTEST_LEASE, _BASELINES * seconds))
    write_system_attr(study, trial, WORKER, this_worker())


def is_running(trial: FrozenTrial) -> bool:
    """Whether a trial may still finish: its state says so, and its process lives as far as can be told from here."""
    if trial.state != TrialState.RUNNING:
        return False
    worker = trial.system_attrs.get(WORKER)
    if worker is None:
        # Just being started, or not by a sampler that signs.
        return _began_within(_SIGNING, trial)
    host, pid, start, _ = worker.rsplit(":", 3)
    if host != socket.gethostname():
        end = trial.system_attrs.get(LEASE_END)
        return _began_within(_OLD_LEASE, trial) if end is None else time.time() < end
    return start == _START if int(pid) == os.getpid() else _lives(int(pid))


def fail_dead_trials(study: optuna.Study) -> None:
    """Mark signed trials as failed whose process is gone: samplers that reckon with running trials wait for them."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if WORKER in trial.system_attrs and not is_running(trial):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def is_mine(trial: FrozenTrial) -> bool:
    """Whether this very thread runs the trial."""
    return bool(trial.system_attrs.get(WORKER) == this_worker())


def _began_within(span: timedelta, trial: FrozenTrial) -> bool:
    return trial.datetime_start is not None and datetime.now() - trial.datetime_start < span


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
