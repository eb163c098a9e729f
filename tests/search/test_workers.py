"""Whether a trial still runs."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from primesvt.search import is_mine, is_running
from primesvt.search.attributes import BASELINE
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.workers import LEASE_END, WORKER, fail_dead_trials, sign, this_worker


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


ELSEWHERE = "elsewhere.example:with:colons:1:0:1"


@pytest.mark.parametrize(("left", "running"), [(60, True), (-60, False)])
def test_another_host_is_taken_to_live_until_its_lease_ends(left: float, *, running: bool) -> None:
    theirs = trial(ELSEWHERE)
    theirs.system_attrs = {**theirs.system_attrs, LEASE_END: time.time() + left}
    assert is_running(theirs) is running
    assert not is_mine(theirs)


@pytest.mark.parametrize(("hours", "running"), [(23, True), (25, False)])
def test_without_a_lease_it_is_taken_to_live_for_a_day(hours: float, *, running: bool) -> None:
    assert is_running(trial(ELSEWHERE, age=3600 * hours)) is running


def lease(study: optuna.Study) -> float:
    """Seconds for which a trial that begins now is taken to run by other hosts."""
    asked = study.ask()
    sign(study, study.trials[asked.number])
    return float(study.trials[asked.number].system_attrs[LEASE_END]) - time.time()


def test_a_lease_is_far_longer_than_any_plan_takes() -> None:
    study = optuna.create_study()
    assert lease(study) == pytest.approx(3600, abs=60)
    study.set_user_attr(BASELINE, {"seconds": 1000.0})
    assert lease(study) == pytest.approx(20_000, abs=60)


def test_a_dead_worker_on_another_host_is_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "elsewhere.example")
        lease(study)
    fail_dead_trials(study)
    assert [t.state.name for t in study.trials] == ["RUNNING"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    fail_dead_trials(study)
    assert [t.state.name for t in study.trials] == ["FAIL"]


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
