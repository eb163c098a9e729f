"""Real small studies, from the first trial to the last, and through whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage
from torch import nn

from primesvt.models import DataSet, PrimeSVTError
from primesvt.pruning import PruningPlan, largest_saving
from primesvt.search import (
    Constraints,
    Evaluator,
    Goals,
    StoppingRule,
    decided_early,
    give_up,
    is_feasible,
    violation,
)
from primesvt.search.samplers import PrioritizedOptions, PrioritizedSampler
from primesvt.search.samplers.nsga2 import NSGA2Options
from primesvt.search.workers import WORKER
from primesvt.studies.running.problem import grid_of
from primesvt.studies.running.runner import RunOptions, Status, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.study_run import StudyRun, finished_run, plan_of_trial
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import counted, tiny_model, told
from ...search.synthetic import STORAGES, Store, plans

ROOT = Path(__file__).parents[3]
LAYERS = ("stem.3", "blocks.0.hidden", "blocks.0.output")
LIMITS = Constraints(max_drop=12, min_saving=0.2)
SETTINGS = StudySettings(
    layers=LAYERS,
    options=PrioritizedOptions(rates=(0.25, 0.5), probe_first=True),
    step=0.25,
    max_ratio=0.75,
    constraints=LIMITS,
)


def settings_of(
    sampler: str = "prioritized",
    *,
    exhaust: bool = False,
    slack: float = 0.0,
    probe_first: bool = True,
    **changes: Any,
) -> StudySettings:
    policy = PrioritizedOptions(rates=(0.25, 0.5), exhaust=exhaust, slack=slack, probe_first=probe_first)
    own = {"options": policy if sampler == "prioritized" else None, **changes}
    return replace(SETTINGS, sampler=sampler, **own)


def run(
    storage: BaseStorage,
    *,
    model: nn.Module | None = None,
    data: DataSet | None = None,
    trials: int | None = 100,
    name: str = "s",
    on_batch: Callable[[int], None] = lambda _: None,
    **changes: Any,
) -> StudyRun:
    subject = Subject(model or tiny_model(), data or noisy_data())
    return run_study(name, storage, subject, settings_of(**changes), RunOptions(trials=trials, on_batch=on_batch))


def states(result: StudyRun) -> list[str]:
    return [trial.state.name for trial in result.study.get_trials()]


def final(result: StudyRun) -> Mapping[str, float] | None:
    """The plan that the policy ends with."""
    sampler = result.study.sampler
    assert isinstance(sampler, PrioritizedSampler)
    return sampler.result(result.study)


# From start to end.


@pytest.mark.parametrize("kind", STORAGES)
def test_a_prioritized_study_from_start_to_end(family: str, kind: str, tmp_path: Path) -> None:
    model, storage = tiny_model(family), Store(kind, tmp_path).open()
    layers = grid_of(StudySettings(), model).layers[:3]
    result = run(storage, model=model, layers=layers, constraints=Constraints(max_drop=30, min_saving=0.1))
    assert result.over
    assert not result.interrupted
    assert len(result.finished) < 100
    assert result.study.metric_names == list(Goals().names)
    assert [d.name for d in result.study.directions] == ["MAXIMIZE", "MAXIMIZE"]
    evaluator = Evaluator(model, noisy_data().selection)
    for trial in result.finished:
        assert set(trial.params) == set(layers)
        assert trial.user_attrs.keys() >= {"bytes", "images", "seconds", "phase", "layer", "interval", "accuracy_drop"}
        assert trial.constraints.keys() == {"accuracy_drop", "memory_saving"}
        real = evaluator.evaluate(result.plan(trial))
        assert trial.values == [real.memory_saving, real.accuracy]
    assert {t.user_attrs["phase"] for t in result.finished} <= {"robustness", "greedy"}
    assert result.best is not None
    assert result.best.values[0] >= 0.1
    assert result.best.user_attrs["accuracy_drop"] <= 30
    assert result.best in result.feasible
    json.dumps(result.to_json())
    assert result.to_json()["best"]["ratios"] == dict(plan_of_trial(result.study, result.best.number, model).ratios)


@pytest.mark.parametrize(("sampler", "trials"), [("random", 8), ("tpe", 14), ("nsga2", 55), ("gp", 12)])
def test_other_samplers_run_to_their_number_of_trials_and_go_on(sampler: str, trials: int) -> None:
    more = {"options": NSGA2Options(population=10)} if sampler == "nsga2" else {}
    whole = run(InMemoryStorage(), sampler=sampler, trials=trials, **more)
    assert len(whole.finished) == trials
    assert {t.user_attrs["phase"] for t in whole.finished} == {"search"}
    assert not whole.over

    storage = InMemoryStorage()
    for until in (1, trials - 2, trials, trials, 3):
        result = run(storage, sampler=sampler, trials=until, **more)
    assert plans(result.study) == plans(whole.study)
    assert result.to_json() == whole.to_json()


def test_running_a_study_that_is_over_again_does_nothing(tmp_path: Path) -> None:
    first = run(open_storage(f"{tmp_path}/s.db"))
    with counted() as seen:
        again = run(open_storage(f"{tmp_path}/s.db"))
    assert seen == []
    assert states(again) == states(first) == ["COMPLETE"] * len(first.finished)
    assert again.to_json() == first.to_json()


def test_the_same_plan_is_measured_once_in_a_storage() -> None:
    storage = InMemoryStorage()
    with counted() as seen:
        run(storage, name="a")
        for sampler in ("random", "tpe"):
            run(storage, name=sampler, sampler=sampler, trials=20)
        run(storage, name="b", constraints=Constraints(max_drop=20, min_saving=0.1))
    evaluator = Evaluator(tiny_model(), noisy_data().selection)
    assert len({evaluator.key(plan) for plan in seen}) == len(seen) > 0


def test_the_status_tells_how_far_and_what_was_found() -> None:
    seen: list[Status] = []
    options = RunOptions(trials=100, on_status=seen.append)
    result = run_study("s", InMemoryStorage(), Subject(tiny_model(), noisy_data()), SETTINGS, options)
    assert [status.done for status in seen] == list(range(len(result.finished) + 1))
    assert {status.total for status in seen} == {100}
    assert seen[-1].feasible == len(result.feasible) > 0
    assert (seen[0].best, seen[-1].best) == (None, result.best)


def test_best_and_nearest() -> None:
    result = run(InMemoryStorage(), sampler="random", trials=25)
    feasible = [t for t in result.finished if LIMITS.kept(drop=t.user_attrs["accuracy_drop"], saving=t.values[0])]
    assert result.feasible == feasible
    assert result.best is not None
    assert result.best.values[0] == max(t.values[0] for t in feasible)

    none = Constraints(max_drop=12, min_saving=0.2, limits={"parameters": 1})
    nothing = run(InMemoryStorage(), sampler="random", trials=10, constraints=none)
    assert nothing.to_json()["best"] is None
    assert nothing.nearest is not None
    assert violation(nothing.nearest) == min(violation(t) for t in nothing.finished) > 0


def test_a_margin_leaves_fewer_plans() -> None:
    storage = InMemoryStorage()
    plain = run(storage, name="a", sampler="random", trials=25)
    strict = run(storage, name="b", sampler="random", trials=25, constraints=replace(LIMITS, margin=12))
    assert {t.number for t in strict.feasible} < {t.number for t in plain.feasible}
    assert all(t.user_attrs["accuracy_drop"] <= 0 for t in strict.feasible)


# Interrupted.


def interrupt(at: int) -> Callable[[int], None]:
    """Ctrl-C while the images of evaluation ``at`` are read; every evaluation is one batch."""
    count = 0

    def on_batch(_: int) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise KeyboardInterrupt

    return on_batch


@pytest.mark.parametrize(("sampler", "trials"), [("prioritized", 100), ("random", 8), ("tpe", 13), ("gp", 12)])
def test_ctrl_c_at_any_trial(sampler: str, trials: int) -> None:
    whole = run(InMemoryStorage(), sampler=sampler, trials=trials)
    with counted() as seen:
        run(InMemoryStorage(), sampler=sampler, trials=trials)
    for at in range(2, len(seen) + 1) if sampler in ("prioritized", "random") else (4, len(seen)):
        storage = InMemoryStorage()
        stopped = run(storage, sampler=sampler, trials=trials, on_batch=interrupt(at))
        assert stopped.interrupted
        assert states(stopped)[-1] == "FAIL"
        assert states(stopped)[:-1] == ["COMPLETE"] * len(stopped.finished)
        resumed = run(storage, sampler=sampler, trials=trials)
        assert not resumed.interrupted
        assert plans(resumed.study) == plans(whole.study)
        assert states(resumed).count("FAIL") == 1


def test_ctrl_c_while_the_unpruned_model_is_measured() -> None:
    storage = InMemoryStorage()
    with pytest.raises(KeyboardInterrupt):
        run(storage, on_batch=interrupt(1))
    assert run(storage).over


def test_ctrl_c_before_the_trial_is_under_way() -> None:
    """Optuna fails a trial whose objective is interrupted; here it was not called yet."""
    storage = InMemoryStorage()
    run(storage, trials=2)
    with mock.patch("primesvt.search.samplers.PrioritizedSampler.before_trial", side_effect=KeyboardInterrupt):
        assert run(storage, trials=3).interrupted
    with mock.patch("primesvt.search.workers._SIGNING", timedelta(0)):
        resumed = run(storage)
    assert states(resumed).count("FAIL") == 1
    assert "RUNNING" not in states(resumed)


def test_ctrl_c_while_the_end_of_a_trial_is_written() -> None:
    storage, real, told = InMemoryStorage(), InMemoryStorage.set_trial_state_values, 0

    def tell(*args: Any, **options: Any) -> bool:
        nonlocal told
        told += 1
        if told == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    with mock.patch.object(InMemoryStorage, "set_trial_state_values", tell):
        assert run(storage, trials=3).interrupted
    resumed = run(storage, trials=3)
    assert states(resumed) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_ctrl_c_says_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    run(InMemoryStorage(), on_batch=interrupt(4))
    assert capfd.readouterr().err == ""


SCRIPT = """
import sys, time
from optuna.storages import InMemoryStorage
from tests.studies.running.test_runner import SETTINGS, run
from primesvt.studies.running.storage import open_storage
count = 0
def on_batch(_):
    global count
    count += 1
    if count == int(sys.argv[2]):
        print("in the middle", flush=True)
        time.sleep(600)
# What is done for the first time takes long: as long as the other's whole search.
run(InMemoryStorage(), trials=1)
print("ready", flush=True)
sys.stdin.readline()
print(run(open_storage(sys.argv[1]), on_batch=on_batch).over, flush=True)
"""


def start(url: str, sleep_at: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, url, str(sleep_at)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_in_the_middle_of_a_trial(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    whole = run(InMemoryStorage())
    process = start(url, sleep_at=5)
    out, _ = process.stdout, process.stdin
    assert out is not None
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert out.readline() == "ready\n"
    assert out.readline() == "in the middle\n"
    # While it runs, another worker leaves its trial alone.
    other = run(open_storage(url), trials=1)
    assert states(other).count("RUNNING") == 1
    assert states(other).count("FAIL") == 0
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    resumed = run(open_storage(url))
    assert states(resumed).count("FAIL") == 1
    assert "RUNNING" not in states(resumed)
    assert sorted(map(str, plans(resumed.study))) == sorted(map(str, plans(whole.study)))
    assert resumed.over
    process.communicate()


def test_two_processes_end_with_the_plan_of_one(tmp_path: Path) -> None:
    # On a busy machine one may be done before the other is let run; not every time.
    assert any(both_worked(f"sqlite:///{tmp_path}/{attempt}.db") for attempt in range(5)), "one worker did it all"


def both_worked(url: str) -> bool:
    process = start(url, sleep_at=0)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    # Both begin at once: also the tables and the study are made by both.
    process.stdin.write("\n")
    process.stdin.flush()
    both, alone = run(open_storage(url)), run(InMemoryStorage())
    assert process.communicate(timeout=120)[0] == "True\n"
    assert final(both) == final(alone)
    assert "FAIL" not in states(both)
    assert {str(p) for p in plans(alone.study)} <= {str(p) for p in plans(both.study)}
    return len({t.system_attrs[WORKER].split(":")[1] for t in both.finished}) == 2


def test_two_threads_end_with_the_plan_of_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    results: list[StudyRun] = []

    def work(model: nn.Module) -> None:
        results.append(run(open_storage(url), model=model))

    # Made before: PyTorch's random numbers are those of all threads, and models made at the same time would differ.
    threads = [threading.Thread(target=work, args=(tiny_model(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = run(InMemoryStorage())
    assert len(results) == 2
    assert "FAIL" not in states(results[0])
    assert [final(result) for result in results] == [final(alone)] * 2


@pytest.mark.parametrize(
    ("kind", "sampler", "trials", "changes"),
    [
        ("memory", "tpe", 13, {}),
        ("memory", "prioritized", 100, {}),
        ("memory", "prioritized", None, {"probe_first": False, "exhaust": True}),
        pytest.param("postgresql", "random", 12, {}, marks=pytest.mark.slow),
    ],
)
def test_eight_workers(
    kind: str, sampler: str, trials: int | None, changes: Mapping[str, bool], request: pytest.FixtureRequest
) -> None:
    """So many trials, no plan measured twice, and the policy's plan is that of one worker."""
    memory = InMemoryStorage()
    url = request.getfixturevalue("database") if kind == "postgresql" else None
    models, results = [tiny_model() for _ in range(8)], list[StudyRun]()

    def work(model: nn.Module) -> None:
        storage = memory if url is None else open_storage(url)
        results.append(run(storage, model=model, sampler=sampler, trials=trials, **changes))

    with counted() as seen, mock.patch("primesvt.studies.running.runner._POLL_SECONDS", 0.02):
        threads = [threading.Thread(target=work, args=(model,)) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 8
    evaluator = Evaluator(tiny_model(), noisy_data().selection)
    keys = [evaluator.key(plan) for plan in seen if plan.ratios]
    assert len(keys) == len(set(keys))
    assert "RUNNING" not in states(results[0])
    if sampler == "prioritized":
        assert [final(result) for result in results] == [final(run(InMemoryStorage(), **changes))] * 8
    else:
        assert [len(result.finished) for result in results] == [trials] * 8


def test_without_trials_the_policy_comes_to_its_end_however_many_trials_it_did_not_need() -> None:
    storage = InMemoryStorage()
    result = run(storage, trials=1)
    others = list(product([0.75], [0.0, 0.25, 0.5, 0.75], [0.0, 0.25, 0.5, 0.75]))
    for plan in others:  # none is the policy's
        result.study.enqueue_trial(dict(zip(LAYERS, plan, strict=True)))
    alone = run(InMemoryStorage(), trials=None)
    result = run(storage, trials=None)
    assert len(result.finished) == len(alone.finished) + len(others)
    assert final(result) == final(alone) is not None


SHARED = [("sqlite", "tpe", 13), ("journal", "sensitivity", 12), ("postgresql", "prioritized", 100)]
MANY = """
import sys
from optuna.storages import InMemoryStorage
from tests.studies.running.test_runner import run
from primesvt.studies.running.storage import open_storage
run(InMemoryStorage(), trials=1)
print("ready", flush=True)
for line in sys.stdin:
    url, sampler, trials = line.split()
    run(open_storage(url), sampler=sampler, trials=int(trials))
    print("done", flush=True)
"""


@pytest.mark.slow
def test_eight_processes(tmp_path: Path, database: str) -> None:
    """As eight threads, with all that only processes have: files that are locked, connections, each its own memory."""
    urls = {"sqlite": f"sqlite:///{tmp_path}/s.db", "journal": f"{tmp_path}/s.journal", "postgresql": database}
    command = [sys.executable, "-W", "ignore", "-c", MANY]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for _ in range(8)
    ]
    said("ready", workers)
    for kind, sampler, trials in SHARED:
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(f"{urls[kind]} {sampler} {trials}\n")
        said("done", workers)
        result = run(open_storage(urls[kind]), sampler=sampler, trials=trials)
        measured = [
            t.user_attrs["key"] for t in result.study.trials if "key" in t.user_attrs and "reused" not in t.user_attrs
        ]
        assert len(measured) == len(set(measured)), kind
        assert "RUNNING" not in states(result), kind
        if sampler == "prioritized":
            assert final(result) == final(run(InMemoryStorage()))
        else:
            assert len(result.finished) == trials, kind
    for worker in workers:
        worker.communicate()


def said(line: str, workers: list["subprocess.Popen[str]"]) -> None:
    """Every worker says a line."""
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == f"{line}\n"


def test_a_trial_that_another_worker_gave_up_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    storage, given = InMemoryStorage(), 0

    def on_batch(_: int) -> None:
        nonlocal given
        given += 1
        if given == 3:
            study = optuna.load_study(study_name="s", storage=storage)
            with mock.patch("socket.gethostname", return_value="elsewhere.example"):
                give_up(study, study.trials[-1])

    result = run(storage, on_batch=on_batch)
    assert states(result).count("FAIL") == 1
    assert plans(result.study) == plans(run(InMemoryStorage()).study)
    assert "was given up by another worker" in capsys.readouterr().err


def test_a_clock_that_jumps_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jumped = time.time() - 7200
    monkeypatch.setattr("primesvt.search.workers._RENEWAL_SECONDS", 0.001)
    count = 0

    def on_batch(_: int) -> None:
        nonlocal count
        count += 1
        if count == 3:
            monkeypatch.setattr(time, "time", lambda: jumped)

    result = run(open_storage(f"{tmp_path}/s.log"), on_batch=on_batch)
    assert count > 3
    assert set(states(result)) == {"COMPLETE"}
    assert plans(result.study) == plans(run(InMemoryStorage()).study)


# Rejected early.


EARLY: dict[str, Any] = {
    "layers": ("blocks.0.attention", "blocks.0.output", "stem.3"),
    "constraints": Constraints(max_drop=12, min_saving=0.01),
}


def early_run(storage: BaseStorage, **changes: Any) -> StudyRun:
    model, data = told()
    return run(storage, model=model, data=data, **{**EARLY, **changes})


def early(result: StudyRun) -> list[int]:
    return [t.number for t in result.finished if decided_early(t)]


@pytest.mark.parametrize(
    ("sampler", "exhaust", "slack"),
    [("prioritized", False, 0.0), ("prioritized", True, 0.0), ("prioritized", True, 30.0), ("random", False, 30.0)],
)
def test_rejecting_early_takes_fewer_images_and_changes_no_decision(
    sampler: str, *, exhaust: bool, slack: float
) -> None:
    results = []
    for whole in (True, False):
        with mock.patch.object(StoppingRule, "rejection", return_value=None) if whole else nullcontext():
            results.append(early_run(InMemoryStorage(), sampler=sampler, exhaust=exhaust, slack=slack, trials=30))
    full, result = results
    assert not early(full)
    assert early(result)
    images = [sum(t.user_attrs["images"] for t in r.finished if "reused" not in t.user_attrs) for r in results]
    assert images[1] < 0.95 * images[0]
    # Up to its slack the policy tells plans apart by their drop.
    least = slack if sampler == "prioritized" else 0.0
    assert all(result.study.trials[number].constraints["accuracy_drop"] > least for number in early(result))
    assert plans(result.study) == plans(full.study)
    assert [is_feasible(t) for t in result.finished] == [is_feasible(t) for t in full.finished]
    assert {**result.to_json(), "decided_early": 0} == full.to_json()
    if sampler == "prioritized":
        assert final(result) == final(full)
    assert not {t.number for t in result.study.best_trials} & set(early(result))
    assert not {t.number for t in result.feasible} & set(early(result))


@pytest.mark.parametrize(("sampler", "trials"), [("prioritized", 100), ("tpe", 16)])
def test_interrupted_it_goes_on_with_the_same_evaluations(sampler: str, trials: int) -> None:
    """Not with the same plans only: a share of the risk that followed the trial's number would change what is seen."""

    def seen(result: StudyRun) -> list[tuple[int, float]]:
        return [(t.user_attrs["images"], t.values[1]) for t in result.finished]

    whole = early_run(InMemoryStorage(), sampler=sampler, trials=trials, probe_first=True)
    assert early(whole)
    for at in (9, 10, 15, 25):  # batches
        storage = InMemoryStorage()
        for again in range(3):
            stopped = early_run(
                storage, sampler=sampler, trials=trials, probe_first=True, on_batch=interrupt(at + again)
            )
        assert "FAIL" in states(stopped)
        resumed = early_run(storage, sampler=sampler, trials=trials, probe_first=True)
        assert plans(resumed.study) == plans(whole.study)
        assert seen(resumed) == seen(whole)


def test_a_study_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """It has no risk, no answers of the unpruned model image by image, and says that nothing was decided early."""
    storage = InMemoryStorage()
    with mock.patch.object(StoppingRule, "rejection", return_value=None):
        old = early_run(storage, trials=4)
    attrs = dict(old.study.user_attrs)
    study_id = storage.get_study_id_from_name("s")
    stored = storage._studies[study_id]
    stored.user_attrs["settings"] = {k: v for k, v in attrs["settings"].items() if k != "risk"}
    del stored.user_attrs["baseline_right"]
    stored.user_attrs["baseline"] = older(attrs["baseline"])
    for trial in stored.trials:
        trial.user_attrs["evaluation"] = older(trial.user_attrs["evaluation"])
        trial.system_attrs = {k: v for k, v in trial.system_attrs.items() if "place" not in k}
    model, data = told()
    assert finished_run("s", storage, Subject(model, data)).settings.risk == 0
    with counted() as measured:
        resumed = early_run(storage)
    assert measured, "it goes on"
    assert resumed.over
    assert replace(resumed.baseline, divergence=0.0) == old.baseline, (
        "what an earlier version did not measure is unknown"
    )
    assert final(resumed) == final(early_run(InMemoryStorage()))
    assert early(resumed)
    assert min(early(resumed)) >= 4
    # From now on the risk is part of it.
    assert resumed.study.user_attrs["settings"]["risk"] == 1e-4
    assert finished_run("s", storage, Subject(model, data)).to_json() == resumed.to_json()
    with pytest.raises(PrimeSVTError, match=r"another risk \(0\.0001, now 0\.01\)"):
        early_run(storage, risk=0.01)


def older(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """As an earlier version stored it."""
    names = ("right", "images", "bytes", "memory_saving", "seconds")
    return {**{name: evaluation[name] for name in names}, "decided_early": False}


def test_a_rejected_plan_is_measured_anew_under_other_limits() -> None:
    storage = InMemoryStorage()
    strict = early_run(storage, name="strict", sampler="random", trials=25)
    with counted() as measured:
        loose = early_run(
            storage, name="loose", sampler="random", trials=25, constraints=Constraints(max_drop=90, min_saving=0.01)
        )
    assert measured
    assert PruningPlan() not in measured, "the unpruned model's answers are in the storage"
    assert plans(loose.study) == plans(strict.study)
    assert not early(loose)
    rejected = set(early(strict))
    for one, other in zip(strict.finished, loose.finished, strict=True):
        assert other.user_attrs["images"] == 400
        if one.number in rejected:
            assert not other.user_attrs.get("reused", "").endswith("of strict")
        else:
            assert one.values == other.values


def test_the_nearest_plan_may_be_an_estimate() -> None:
    model, _ = told()
    nothing = early_run(
        InMemoryStorage(),
        sampler="random",
        trials=10,
        constraints=Constraints(max_drop=0, min_saving=largest_saving(model, EARLY["layers"], 0.75)),
    )
    assert nothing.best is None
    assert nothing.nearest is not None
    assert all(t.constraints["accuracy_drop"] > 0 for t in nothing.finished if decided_early(t))


# Refused.


def test_a_search_on_the_test_set_is_refused() -> None:
    data = noisy_data()
    with pytest.raises(PrimeSVTError, match="Searching on the test set is refused"):
        run(InMemoryStorage(), data=replace(data, selection=data.test))


def test_an_impossible_saving_is_refused_and_leaves_no_study() -> None:
    storage = InMemoryStorage()
    with pytest.raises(PrimeSVTError, match=r"min-saving 0\.9 cannot be reached.*saves 0\.\d{4} of its bytes"):
        run(storage, constraints=Constraints(min_saving=0.9))
    assert optuna.get_all_study_names(storage) == []


@pytest.mark.parametrize("trials", [0, -3])
def test_a_number_of_trials_that_makes_no_sense(trials: int) -> None:
    with pytest.raises(PrimeSVTError, match=f"trials must be at least 1, got {trials}"):
        run(InMemoryStorage(), trials=trials)


def test_going_on_with_other_settings_is_refused() -> None:
    storage = InMemoryStorage()
    run(storage, trials=2)
    with pytest.raises(PrimeSVTError, match=r"'s' was started with another seed \(0, now 1\)"):
        run(storage, seed=1)
    with pytest.raises(PrimeSVTError, match="another model"):
        run(storage, model=tiny_model(seed=1))
    with pytest.raises(PrimeSVTError, match="another data"):
        run(storage, data=noisy_data(seed=1))


@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "minimize"], list(Goals().directions)])
def test_a_study_of_somebody_else_is_left_alone(directions: list[str]) -> None:
    storage = InMemoryStorage()
    theirs = optuna.create_study(study_name="s", storage=storage, directions=directions)
    theirs.tell(theirs.ask(), [0.0] * len(directions))
    with pytest.raises(PrimeSVTError, match="was not made by PrimeSVT"):
        run(storage)
    assert len(theirs.trials) == 1
    assert theirs.user_attrs == {}


def test_a_study_whose_maker_was_killed_at_once_is_taken_over() -> None:
    storage = InMemoryStorage()
    optuna.create_study(study_name="s", storage=storage, directions=Goals().directions)
    assert run(storage).over


@pytest.mark.parametrize("method", ["set_trial_state_values", "create_new_trial", "create_new_study"])
def test_a_storage_that_fails_on_the_way_and_recovers(method: str) -> None:
    storage = InMemoryStorage()
    error = StorageInternalError("the disk is full\nmore")
    if method != "create_new_study":
        run(storage, trials=3)
    with (
        mock.patch.object(storage, method, side_effect=error),
        pytest.raises(PrimeSVTError, match=r"^The storage failed in study 's': the disk is full. All finished"),
    ):
        run(storage)
    assert run(storage).over


# One that is begun anew has the number of the old one in SQLite, and is simply gone on with.
@pytest.mark.parametrize(
    ("kind", "moment"),
    [*product(STORAGES, ["in a trial", "between trials"]), ("memory", "begun anew"), ("journal", "begun anew")],
)
def test_a_study_that_is_deleted_while_it_runs(kind: str, moment: str, tmp_path: Path) -> None:
    storage, status = Store(kind, tmp_path), list[Status]()

    def delete() -> None:
        if len(status) == 3:
            optuna.delete_study(study_name="s", storage=storage.open())
            if moment == "begun anew":
                optuna.create_study(study_name="s", storage=storage.open())

    def on_status(now: Status) -> None:
        status.append(now)
        if moment != "in a trial":
            delete()

    options = RunOptions(trials=9, on_status=on_status, on_batch=lambda _: delete() if moment == "in a trial" else None)
    with pytest.raises(PrimeSVTError, match=r"^The study 's' is gone from its storage: somebody has deleted it"):
        run_study("s", storage.open(), Subject(tiny_model(), noisy_data()), settings_of("random"), options)
    assert len(status) == 3


def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    open_storage(f"{tmp_path}/s.db")
    storage = open_storage(f"sqlite:///file:{tmp_path}/s.db?mode=ro&uri=true")
    with pytest.raises(PrimeSVTError, match=r"The storage failed in study 's'.*readonly database"):
        run(storage)
