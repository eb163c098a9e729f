"""Whether a trial still runs."""

import os
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from primesvt.search import is_mine, is_running
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.workers import WORKER, fail_dead_trials, this_worker


def trial(worker: str | None, *, state: TrialState = TrialState.RUNNING, age: float = 3600) -> FrozenTrial:
    attrs = {} if worker is None else {WORKER: worker}
    value = 0.0 if state == TrialState.COMPLETE else None
    made = optuna.create_trial(state=state, value=value, system_attrs=attrs)
    made.datetime_start = datetime.now() - timedelta(seconds=age)
    return made


def test_this_thread() -> None:
    assert is_running(trial(this_worker()))
    assert is_mine(trial(this_worker()))
    assert not is_running(trial(this_worker(), state=TrialState.COMPLETE))
    assert not is_mine(trial(this_worker() + "1"))
    assert is_running(trial(this_worker() + "1"))  # another thread


def test_a_dead_process(dead_worker: str) -> None:
    assert not is_running(trial(dead_worker))
    assert not is_mine(trial(dead_worker))


def test_a_living_process_and_then_killed_but_not_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], stdout=-1)
    assert process.stdout is not None
    process.stdout.readline()
    worker = f"{socket.gethostname()}:{process.pid}:0:1"
    assert is_running(trial(worker))
    process.send_signal(signal.SIGKILL)
    process.stdout.read()  # until it is gone
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_running(trial(worker))
    process.wait()
    process.stdout.close()


def test_a_new_process_with_the_number_of_a_dead_one() -> None:
    host, pid, start, thread = this_worker().rsplit(":", 3)
    assert not is_running(trial(f"{host}:{pid}:{start[::-1]}x:{thread}"))


def test_another_host_is_taken_to_live() -> None:
    assert is_running(trial("elsewhere.example:with:colons:1:0:1"))


def test_dead_trials_are_failed_and_no_others(dead_worker: str) -> None:
    study = optuna.create_study()
    for worker in (dead_worker, this_worker(), None, dead_worker):
        trial = study.ask()
        if worker is not None:
            write_system_attr(study, study.trials[trial.number], WORKER, worker)
    study.tell(3, 0.0)
    fail_dead_trials(study)
    assert [t.state.name for t in study.trials] == ["FAIL", "RUNNING", "RUNNING", "COMPLETE"]


@pytest.mark.parametrize(("age", "running"), [(5, True), (3600, False)])
def test_not_signed(age: float, *, running: bool) -> None:
    assert is_running(trial(None, age=age)) is running
