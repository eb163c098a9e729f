"""Who runs a trial: to tell a trial that runs from one whose process was killed, which runs for ever.

Of a process on this host the system says whether it lives. One on another host is taken to live until the lease ends
that it wrote into the trial when it began, and renews while it measures; the hosts' clocks need to agree to within
minutes. Optuna's own heartbeats are for databases that a worker opens itself; a lease is renewed in every storage, also
through a proxy. A worker that was only slow, or whose clock jumped, learns that its trial was given up, and goes on.
"""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from .optuna_private import write_system_attr

WORKER = "primesvt:worker"
# When its lease ends, in seconds since 1970.
LEASE_END = "primesvt:lease_end"
# Who took a trial for dead, though it may live.
GIVEN_UP = "primesvt:given_up"

_LEASE_SECONDS, _RENEWAL_SECONDS = 300.0, 60.0
# Trials signed by an earlier version have no lease.
_OLD_LEASE = timedelta(days=1)
_SIGNING = timedelta(minutes=1)

# A new process may get the number of one that died, above all in a container.
_START = uuid.uuid4().hex[:8]


def this_worker() -> str:
    """Host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{_START}:{threading.get_ident()}"


def sign(study: optuna.Study, trial: FrozenTrial) -> None:
    """Write into a trial who runs it, and until when it is taken to run by other hosts; nothing where that is known."""
    if is_mine(trial):
        return
    for key, value in signature().items():
        write_system_attr(study, trial, key, value)


def signature() -> dict[str, str | float]:
    """The system attributes of a trial that this thread begins."""
    return {LEASE_END: time.time() + _LEASE_SECONDS, WORKER: this_worker()}


@contextmanager
def renewing(study: optuna.Study, trial: FrozenTrial | optuna.Trial) -> Iterator[None]:
    """Renew the lease of a trial now and then meanwhile, in a thread of its own."""
    done = threading.Event()

    def renew() -> None:
        # Where it cannot be written, the trial's own thread finds that, too, and says so.
        with suppress(Exception):
            while not done.wait(_RENEWAL_SECONDS):
                write_system_attr(study, trial, LEASE_END, signature()[LEASE_END])

    threading.Thread(target=renew, daemon=True).start()
    try:
        yield
    finally:
        done.set()


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
            give_up(study, trial)


def give_up(study: optuna.Study, trial: FrozenTrial) -> None:
    """Mark a trial as failed whose process is taken for dead, so that others take its plan up."""
    # Another worker may just do the same.
    with suppress(UpdateFinishedTrialError):
        write_system_attr(study, trial, GIVEN_UP, this_worker())
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def lost_trial(study: optuna.Study) -> int | None:
    """The number of the last trial of this very thread, where another worker has given it up; None otherwise."""
    mine = [t for t in study.get_trials(deepcopy=False) if is_mine(t)]
    return mine[-1].number if mine and GIVEN_UP in mine[-1].system_attrs else None


def is_mine(trial: FrozenTrial) -> bool:
    """Whether this very thread runs the trial."""
    return bool(trial.system_attrs.get(WORKER) == this_worker())


def _began_within(span: timedelta, trial: FrozenTrial) -> bool:
    return trial.datetime_start is not None and abs(datetime.now() - trial.datetime_start) < span


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
