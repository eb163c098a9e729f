"""A trial's place: its number as if no trial had failed, and never given twice."""

import threading
from contextlib import suppress
from pathlib import Path
from unittest import mock

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from primesvt.search import places
from primesvt.search.places import Places, place_of
from primesvt.search.workers import sign

from .synthetic import STORAGES, Store


class Placing(optuna.samplers.RandomSampler):
    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        sign(study, trial)
        Places(study).take(trial)


def held(study: optuna.Study) -> list[int]:
    return [place_of(t) for t in study.get_trials(states=(TrialState.RUNNING, TrialState.COMPLETE))]


@pytest.mark.parametrize("kind", STORAGES)
def test_failed_trials_give_theirs_back(kind: str, tmp_path: Path) -> None:
    study = Store(kind, tmp_path).study(Placing())
    for fails in (False, True, True, False, True, False):
        trial = study.ask()
        state = TrialState.FAIL if fails else TrialState.COMPLETE
        study.tell(trial, None if fails else [0.0, 0.0], state=state)
    assert held(study) == [0, 1, 2]


def test_without_a_sampler_that_gives_places_it_is_the_number() -> None:
    study = optuna.create_study()
    for _ in range(3):
        study.tell(study.ask(), 0.0)
    assert held(study) == [0, 1, 2]


def test_threads_never_share_one(tmp_path: Path) -> None:
    def work() -> None:
        study = Store("sqlite", tmp_path).study(Placing())
        for _ in range(6):
            study.tell(study.ask(), [0.0, 0.0])

    study = Store("sqlite", tmp_path).study(Placing())
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(held(study)) == len(set(held(study))) == 18


@pytest.mark.parametrize("begun", [2, 3, 5])
def test_workers_in_step_do_not_share_one(begun: int) -> None:
    """Everyone looks before anyone writes, every time: the worst that can happen."""
    study = optuna.create_study()
    trials = [study.ask() for _ in range(begun)]
    for trial in study.trials:
        sign(study, trial)
    barrier = threading.Barrier(begun)
    write = places.write_system_attr

    def in_step(*args: object) -> None:
        with suppress(threading.BrokenBarrierError):  # once somebody is done there is no step to keep
            barrier.wait(0.2)
        write(*args)  # type: ignore[arg-type]

    with mock.patch.object(places, "write_system_attr", in_step):
        frozen = study.get_trials()
        threads = [threading.Thread(target=Places(study).take, args=(trial,)) for trial in frozen]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(set(held(study))) == len(trials)


def test_a_study_has_room_for_its_trials_and_no_more() -> None:
    study = optuna.create_study(sampler=Placing())
    begun = [study.ask() for _ in range(2)]
    assert not Places(study).has_room(2)
    assert [Places(study).is_surplus(trial, 2) for trial in begun] == [False, False]
    late = study.ask()
    assert Places(study).is_surplus(late, 2)
    study.tell(late, state=TrialState.FAIL)
    study.tell(begun[0], 0.0)
    study.tell(begun[1], state=TrialState.FAIL)
    assert Places(study).has_room(2)
    assert not Places(study).is_surplus(study.ask(), 2)


def test_what_was_pruned_counts_for_nothing() -> None:
    study = optuna.create_study(sampler=Placing())
    study.tell(study.ask(), state=TrialState.PRUNED)
    study.tell(study.ask(), 0.0)
    assert Places(study).has_room(2)
    assert not Places(study).is_surplus(study.ask(), 2)
    assert not Places(study).has_room(2)


def test_without_places_there_is_always_room() -> None:
    study = optuna.create_study()
    assert not Places(study).is_surplus(study.ask(), 1)
    assert Places(study).has_room(1)
