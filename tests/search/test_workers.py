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
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.workers import (
    LEASE_END,
    WORKER,
    fail_dead_trials,
    give_up,
    lost_trial,
    renewing,
    sign,
    this_worker,
)


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


def test_a_lease_lasts_for_minutes_and_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    assert lease(study) == pytest.approx(300, abs=60)
    before = float(study.trials[0].system_attrs[LEASE_END])
    monkeypatch.setattr("primesvt.search.workers._RENEWAL_SECONDS", 0.01)
    with renewing(study, study.trials[0]):
        end = time.monotonic() + 10
        while float(study.trials[0].system_attrs[LEASE_END]) <= before and time.monotonic() < end:
            time.sleep(0.01)
    assert float(study.trials[0].system_attrs[LEASE_END]) > before
    study.tell(0, 1.0)


def test_a_lease_that_cannot_be_renewed_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    study.tell(study.ask(), 1.0)
    monkeypatch.setattr("primesvt.search.workers._RENEWAL_SECONDS", 0.0)
    with renewing(study, study.trials[0]):  # which may not be changed any more
        time.sleep(0.05)


def test_who_lost_a_trial_learns_it(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    lease(study)
    assert lost_trial(study) is None
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "elsewhere.example")
        give_up(study, study.trials[0])
        assert lost_trial(study) is None
    assert lost_trial(study) == 0
    give_up(study, study.trials[0])  # as another worker may at the same moment
    assert [t.state.name for t in study.trials] == ["FAIL"]
    lease(study)
    assert lost_trial(study) is None


def test_a_dead_worker_on_another_host_is_buried(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "elsewhere.example")
        lease(study)
    fail_dead_trials(study)
    assert [t.state.name for t in study.trials] == ["RUNNING"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 400)
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


@pytest.mark.parametrize(("age", "running"), [(5, True), (3600, False), (-3600, False)])  # a clock that jumped back
def test_not_signed(age: float, *, running: bool) -> None:
    assert is_running(trial(None, age=age)) is running
