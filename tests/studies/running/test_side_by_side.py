"""Studies in several processes: the trials of one process, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace

import optuna
import psutil
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState

from primesvt.models import PrimeSVTError
from primesvt.search import is_running
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.running.arm import Arm, studies_of
from primesvt.studies.running.runner import RunOptions, Status
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.several import run_studies
from primesvt.studies.running.side_by_side import Processes, fitting, run_side_by_side
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.study_run import StudyRun
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model
from .test_runner import LAYERS, LIMITS

COMMON = {"layers": LAYERS, "constraints": LIMITS, "step": 0.25, "max_ratio": 0.75, "seed": 5}
FIXED = Arm("mine", StudySettings(**COMMON, options=PrioritizedOptions(rates=(0.25, 0.5))))
LEARNS = Arm("sensitivity", StudySettings(**COMMON, sampler="sensitivity"), trials=5)
ENDLESS = Arm("random", StudySettings(**COMMON, sampler="random"), trials=10_000)


def subject() -> Subject:
    return Subject(tiny_model(), noisy_data())


def no_subject() -> Subject:
    raise PrimeSVTError("The model is gone.")


def told(runs: list[StudyRun]) -> dict[str, list[tuple[object, ...]]]:
    return {run.study.study_name: [(t.params, t.values) for t in run.finished] for run in runs}


def url(directory: Path) -> str:
    return f"sqlite:///{directory / 'studies.db'}"


def started(call: Callable[[], None]) -> Callable[[int, Status], None]:
    """Calls once, when two studies have finished a trial."""
    seen: set[int] = set()

    def told(study: int, status: Status) -> None:
        before = len(seen)
        seen.update({study} if status.done else ())
        if before < len(seen) == 2:
            call()

    return told


def test_the_trials_are_those_of_one_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    studies = studies_of([FIXED, LEARNS], seeds=2, prefix="x-")
    (tmp_path / "alone").mkdir()
    alone = run_studies(open_storage(url(tmp_path / "alone")), subject(), studies)
    capsys.readouterr()
    threads = os.environ.get("OMP_NUM_THREADS")
    runs = run_studies(open_storage(url(tmp_path)), subject(), studies, processes=Processes(2, subject, url(tmp_path)))
    assert told(runs) == told(alone)
    assert not active_children()
    assert os.environ.get("OMP_NUM_THREADS") == threads
    text = capsys.readouterr().err
    assert "2 processes run them side by side." in text
    assert "study 3 of 3, x-sensitivity-seed6: 5 of 5" in text
    # Each by a process of its own, but for the one that was left.
    workers = {t.system_attrs["primesvt:worker"] for run in runs for t in run.finished}
    assert len({worker.split(":")[1] for worker in workers}) == 2
    assert all(len({t.system_attrs["primesvt:worker"] for t in run.finished}) == 1 for run in runs)


def test_what_a_process_refuses_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"^The model is gone\.$"):
        run_side_by_side(
            Processes(2, no_subject, url(tmp_path)), {0: FIXED, 1: LEARNS}, RunOptions(), *[lambda *_: None] * 2
        )
    assert not active_children()


def test_a_process_that_is_killed_is_told_and_ends_the_others(tmp_path: Path) -> None:
    storage = open_storage(url(tmp_path))
    studies = {0: ENDLESS, 1: replace(ENDLESS, name="other")}

    def kill() -> None:
        os.kill(min(child.pid or 0 for child in active_children()), signal.SIGKILL)

    with pytest.raises(PrimeSVTError, match=r"was killed, as happens where memory runs out\. All finished"):
        run_side_by_side(Processes(2, subject, url(tmp_path)), studies, RunOptions(), started(kill), lambda _: None)
    assert not active_children()
    loaded = [optuna.load_study(study_name=study.name, storage=storage) for study in studies.values()]
    states = [t.state for study in loaded for t in study.trials]
    assert states.count(TrialState.RUNNING) <= 1  # that of the one that was killed
    assert states.count(TrialState.COMPLETE) >= 2


def test_who_stops_one_process_stops_all(tmp_path: Path) -> None:
    studies = {0: ENDLESS, 1: replace(ENDLESS, name="other")}

    def stop() -> None:
        os.kill(min(child.pid or 0 for child in active_children()), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(Processes(2, subject, url(tmp_path)), studies, RunOptions(), started(stop), lambda _: None)
    assert not active_children()


def test_who_is_stopped_leaves_no_trial_running_and_goes_on(tmp_path: Path) -> None:
    storage, several = open_storage(url(tmp_path)), Processes(2, subject, url(tmp_path))
    studies = [replace(LEARNS, name=name, trials=12) for name in ("one", "two")]

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_side_by_side(several, dict(enumerate(studies)), RunOptions(), started(interrupt), lambda _: None)
    assert not active_children()
    loaded = [optuna.load_study(study_name=study.name, storage=storage) for study in studies]
    assert {t.state for study in loaded for t in study.trials} <= {TrialState.COMPLETE, TrialState.FAIL}
    runs = run_studies(storage, subject(), studies, processes=several)
    (tmp_path / "alone").mkdir()
    alone = run_studies(open_storage(url(tmp_path / "alone")), subject(), studies)
    assert told(runs) == told(alone)


def test_nobody_goes_on_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Else the next command would share their studies, whose trials would be others then."""
    code = f"""
from tests.studies.running.test_side_by_side import *
studies = {{3: ENDLESS, 5: replace(ENDLESS, name="other")}}
tell = started(lambda: print("ready", flush=True))
run_side_by_side(Processes(2, subject, {url(tmp_path)!r}), studies, RunOptions(), tell, lambda _: None)
"""
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
    storage = open_storage(url(tmp_path))
    deadline = time.monotonic() + 60

    def running() -> list[FrozenTrial]:
        studies = [optuna.load_study(study_name=name, storage=storage) for name in ("random", "other")]
        return [t for study in studies for t in study.trials if t.state == TrialState.RUNNING]

    while any(map(is_running, running())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running()


def test_as_many_processes_as_suit_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads, gigabytes, studies, count in (
        (1, 99, 9, 1),
        (2, 99, 9, 2),
        (16, 99, 9, 4),
        (16, 99, 3, 3),
        (16, 99, 0, 1),
        (16, 6.5, 9, 3),
        (16, 0.5, 9, 1),
    ):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        memory = SimpleNamespace(available=int(gigabytes * 2**30))
        monkeypatch.setattr(psutil, "virtual_memory", lambda memory=memory: memory)
        assert fitting(studies) == count
