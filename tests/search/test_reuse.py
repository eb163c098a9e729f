"""The same plan is measured once in a storage."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from unittest import mock

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState
from torch import nn

from primesvt.models import DataSet
from primesvt.pruning import PruningPlan
from primesvt.search import (
    KEY,
    Constraints,
    Evaluation,
    Evaluator,
    KnownEvaluations,
    Objective,
    SearchSpace,
    evaluation_of,
    reuse,
)
from primesvt.search.samplers import make_sampler
from primesvt.search.workers import sign

from ..conftest import noisy_data
from .models import counted, tiny_model
from .synthetic import DIRECTIONS, Landscape

SPACE = SearchSpace(layers=("stem.3", "blocks.0.hidden"), step=0.25, max_ratio=0.75)
SIGNATURE = Evaluation(right=1, images=2, bytes=3, memory_saving=0.1, seconds=0.5)


def run(
    storage: BaseStorage, name: str, model: nn.Module, data: DataSet, *, trials: int, seed: int = 0
) -> optuna.Study:
    # Every draw saves enough, so none is drawn again.
    problem = replace(Landscape().problem, space=SPACE, saving=lambda _plan: 1.0)
    sampler = make_sampler("random", problem, seed=seed)
    study = optuna.create_study(
        study_name=name, storage=storage, directions=DIRECTIONS, sampler=sampler, load_if_exists=True
    )
    evaluator = Evaluator(model, data.selection)
    objective = Objective(SPACE, evaluator, Constraints(), SIGNATURE, KnownEvaluations(study))
    study.optimize(objective, n_trials=trials)
    return study


def test_within_a_study(data: DataSet) -> None:
    with counted() as seen:
        study = run(InMemoryStorage(), "a", tiny_model(), data, trials=40)
    # 16 plans are in the space, all different ones for this model.
    assert len(seen) == len({t.user_attrs[KEY] for t in study.trials}) == len(set(map(str, seen))) <= 16
    first = {}
    for trial in study.trials:
        if trial.user_attrs[KEY] in first:
            source = first[trial.user_attrs[KEY]]
            assert trial.user_attrs["reused"] == f"trial {source.number} of a"
            assert trial.values == source.values
            assert evaluation_of(trial) == evaluation_of(source)
        else:
            first[trial.user_attrs[KEY]] = trial
            assert "reused" not in trial.user_attrs


def test_across_studies_of_the_same_model_and_images(data: DataSet) -> None:
    storage = InMemoryStorage()
    run(storage, "a", tiny_model(), data, trials=10)
    with counted() as seen:
        again = run(storage, "b", tiny_model(), data, trials=10)
    assert seen == []
    assert all("reused" in t.user_attrs for t in again.trials)
    assert again.trials[0].user_attrs["reused"] == "trial 0 of a"


@pytest.mark.parametrize("other", ["model", "images", "fewer images"])
def test_not_for_another_model_or_other_images(data: DataSet, other: str) -> None:
    storage = InMemoryStorage()
    run(storage, "a", tiny_model(), data, trials=6)
    model = tiny_model(seed=1) if other == "model" else tiny_model()
    if other == "images":
        data = noisy_data(seed=1)
    elif other == "fewer images":
        data = noisy_data(count=90)
    with counted() as seen:
        study = run(storage, "b", model, data, trials=6)
    assert len(seen) == len({t.user_attrs[KEY] for t in study.trials})
    assert not any(t.user_attrs.get("reused", "").endswith(" of a") for t in study.trials)


def test_the_baseline_counts(data: DataSet) -> None:
    study = optuna.create_study(study_name="a", directions=DIRECTIONS)
    evaluator = Evaluator(tiny_model(), data.selection)
    baseline = evaluator.evaluate(PruningPlan())
    study.set_user_attr("baseline_key", evaluator.key(PruningPlan()))
    study.set_user_attr("baseline", baseline.to_json())
    study.enqueue_trial({"stem.3": 0.0, "blocks.0.hidden": 0.0})
    with counted() as seen:
        study.optimize(Objective(SPACE, evaluator, Constraints(), baseline, KnownEvaluations(study)), n_trials=1)
    assert seen == []
    assert study.trials[0].user_attrs["reused"] == "baseline of a"
    assert study.trials[0].values == [0.0, baseline.accuracy]


def test_what_was_rejected_early_is_reused_in_its_study_only() -> None:
    storage = InMemoryStorage()
    early = replace(SIGNATURE, decided_early="exact", unpruned_right=2, least_drop=4.0)
    for name, evaluations in (("a", {"k": early, "l": SIGNATURE}), ("b", {"k": SIGNATURE, "m": early})):
        study = optuna.create_study(study_name=name, storage=storage)
        for key, evaluation in evaluations.items():
            trial = study.ask()
            trial.set_user_attr(KEY, key)
            trial.set_user_attr("evaluation", evaluation.to_json())
            study.tell(trial, 1.0)
    found = {}
    for name in ("a", "b", "c"):
        known = KnownEvaluations(
            optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
        )  # fmt: skip
        found[name] = {key: (k.evaluation, k.study) for key in "klm" if (k := known.find(key)) is not None}
    assert found == {
        "a": {"k": (early, "a"), "l": (SIGNATURE, "a")},
        "b": {"k": (SIGNATURE, "b"), "l": (SIGNATURE, "a"), "m": (early, "b")},
        "c": {"k": (SIGNATURE, "b"), "l": (SIGNATURE, "a")},
    }


def test_what_other_studies_measured_may_be_left_to_them() -> None:
    """So that a study has the same trials, whatever others have come to meanwhile."""
    storage = InMemoryStorage()
    worse = replace(SIGNATURE, right=0)
    for name, key, evaluation in (("a", "k", SIGNATURE), ("a", "l", worse), ("b", "m", worse)):
        study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
        trial = study.ask()
        trial.set_user_attr(KEY, key)
        trial.set_user_attr("evaluation", evaluation.to_json())
        study.tell(trial, 1.0)
    known = KnownEvaluations(optuna.load_study(study_name="b", storage=storage))
    known.keep_elsewhere(lambda evaluation: evaluation.right > 0)
    found = {key: known.find(key) for key in "klm"}
    assert {key: each.study for key, each in found.items() if each is not None} == {"k": "a", "m": "b"}


def test_a_finished_trial_is_read_once() -> None:
    study = optuna.create_study(study_name="a")
    known = KnownEvaluations(study)
    with mock.patch.object(Evaluation, "from_json", side_effect=Evaluation.from_json) as read:
        for _ in range(5):
            trial = study.ask()
            trial.set_user_attr(KEY, "k")
            trial.set_user_attr("evaluation", SIGNATURE.to_json())
            study.tell(trial, 1.0)
            found = known.find("k")
            assert found is not None
            assert found.trial == 0
    assert read.call_count == 5


@pytest.mark.parametrize("images", [1, 7, 8, 9, 1000])
def test_the_unpruned_models_answers_are_kept_as_bits(images: int) -> None:
    right = np.random.default_rng(0).random(images) < 0.9
    storage = InMemoryStorage()
    study = optuna.create_study(study_name="a", storage=storage)
    study.set_user_attr("baseline_key", "k")
    study.set_user_attr("baseline_right", reuse.pack(right))
    assert len(reuse.pack(right)) <= 4 * (images // 24 + 1)
    for name in ("a", "b"):
        known = KnownEvaluations(optuna.create_study(study_name=name, storage=storage, load_if_exists=True))
        found = known.unpruned("k", images)
        assert found is not None
        assert found.tolist() == right.tolist()
        assert known.unpruned("another", images) is None
        assert known.unpruned("k", images + 8) is None


@pytest.mark.parametrize("value", ["text", "é", "", 3, {"a": 1}, None, []])
def test_bits_of_somebody_else_are_passed_over(value: object) -> None:
    study = optuna.create_study()
    study.set_user_attr("baseline_key", "k")
    study.set_user_attr("baseline_right", value)
    assert KnownEvaluations(study).unpruned("k", 100) is None


def test_failed_trials_are_no_source(data: DataSet) -> None:
    storage = InMemoryStorage()
    study = run(storage, "a", tiny_model(), data, trials=1)
    key = study.trials[0].user_attrs[KEY]
    other = optuna.create_study(study_name="b", storage=storage, directions=DIRECTIONS)
    trial = other.ask()
    trial.set_user_attr(KEY, "k")
    trial.set_user_attr("evaluation", SIGNATURE.to_json())
    other.tell(trial, state=TrialState.FAIL)
    known = KnownEvaluations(optuna.create_study(study_name="c", storage=storage))
    assert known.find("k") is None
    found = known.find(key)
    assert found is not None
    assert (found.study, found.trial) == ("a", 0)


@pytest.mark.parametrize("value", ["text", 3, {"accuracy": 0.9}, None, []])
def test_studies_of_somebody_else_are_passed_over(value: object) -> None:
    storage = InMemoryStorage()
    theirs = optuna.create_study(study_name="theirs", storage=storage)
    theirs.set_user_attr("baseline", value)
    trial = theirs.ask()
    trial.set_user_attr("evaluation", value)
    trial.set_user_attr("key", value)
    theirs.tell(trial, 1.0)
    theirs.set_user_attr("baseline_key", "k")
    ours = optuna.create_study(study_name="ours", storage=storage)
    assert KnownEvaluations(ours).find("k") is None


def waiting(study: optuna.Study, seconds: float) -> tuple[list[object], threading.Thread]:
    """Ask for plan `k` in a further trial in another thread."""
    answers: list[object] = []
    trial = study.ask()
    trial.set_user_attr(KEY, "k")
    thread = threading.Thread(
        target=lambda: answers.append(KnownEvaluations(study).wait(trial, "k", seconds=seconds)), daemon=True
    )
    thread.start()
    return answers, thread


@pytest.fixture
def busy() -> tuple[optuna.Study, optuna.Trial]:
    """A study whose trial 0 measures plan `k`."""
    study = optuna.create_study(study_name="a")
    trial = study.ask()
    sign(study, study.trials[0])
    trial.set_user_attr(KEY, "k")
    return study, trial


def test_a_plan_that_another_worker_measures_is_waited_for(busy: tuple[optuna.Study, optuna.Trial]) -> None:
    study, trial = busy
    with mock.patch.object(reuse, "_POLL_SECONDS", 0.01):
        answers, thread = waiting(study, 60)
        time.sleep(0.1)
        assert answers == []
        trial.set_user_attr("evaluation", SIGNATURE.to_json())
        study.tell(trial, 1.0)
        thread.join(10)
    assert [answer.trial for answer in answers] == [0]  # type: ignore[attr-defined]


def test_a_failure_of_the_other_worker_ends_the_wait(busy: tuple[optuna.Study, optuna.Trial]) -> None:
    study, trial = busy
    with mock.patch.object(reuse, "_POLL_SECONDS", 0.01):
        answers, thread = waiting(study, 60)
        time.sleep(0.1)
        study.tell(trial, state=TrialState.FAIL)
        thread.join(10)
    assert answers == [None]


def test_nobody_waits_for_ever_nor_for_another_plan(busy: tuple[optuna.Study, optuna.Trial]) -> None:
    study, _ = busy
    known, later = KnownEvaluations(study), study.ask()
    with mock.patch.object(reuse, "_POLL_SECONDS", 0.01):
        started = time.monotonic()
        assert known.wait(later, "another", seconds=60) is None
        assert known.wait(later, "k", seconds=0.1) is None
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_of_workers_in_step_one_measures(workers: int) -> None:
    """All write which plan it is before anyone looks, and look before anyone draws: the worst that can happen."""
    study = optuna.create_study()
    trials = [study.ask() for _ in range(workers)]
    for trial in study.trials:
        sign(study, trial)
    measured: list[int] = []
    barrier, real = threading.Barrier(workers), KnownEvaluations._find

    def in_step(self: KnownEvaluations, key: str) -> tuple[reuse.Known | None, list[optuna.trial.FrozenTrial]]:
        seen = real(self, key)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(0.2)
        return seen

    def work(trial: optuna.Trial) -> None:
        trial.set_user_attr(KEY, "k")
        if KnownEvaluations(study).wait(trial, "k", seconds=30) is None:
            measured.append(trial.number)
            time.sleep(0.05)
        trial.set_user_attr("evaluation", SIGNATURE.to_json())
        study.tell(trial, 1.0)

    with mock.patch.object(KnownEvaluations, "_find", in_step), mock.patch.object(reuse, "_POLL_SECONDS", 0.01):
        threads = [threading.Thread(target=work, args=(trial,)) for trial in trials]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert measured == [0]
