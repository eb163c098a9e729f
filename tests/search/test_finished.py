"""Finished trials are told of once, whoever ran them, and none is missed."""

from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from primesvt.search import FinishedTrials
from primesvt.search.finished import SaidByTrials

from .synthetic import STORAGES, Store


def study_in_memory() -> optuna.Study:
    return optuna.create_study(directions=["maximize", "maximize"])


@pytest.mark.parametrize("kind", STORAGES)
def test_those_of_another_worker_too(kind: str, tmp_path: Path) -> None:
    store, told = Store(kind, tmp_path), list[int]()
    study = store.study(optuna.samplers.RandomSampler())
    finished = FinishedTrials(study, lambda trial: told.append(trial.number))
    begun = [study.ask() for _ in range(3)]
    study.tell(begun[2], [0.0, 0.0])
    assert [trial.number for trial in finished.update()] == [0, 1]
    assert told == [2]
    # Another worker has a study of its own, on the same storage.
    theirs = study if kind == "memory" else store.study(optuna.samplers.RandomSampler())
    theirs.tell(0, state=TrialState.FAIL)
    theirs.tell(theirs.ask(), [0.0, 0.0])
    assert [trial.number for trial in finished.update()] == [1]
    assert told == [2, 0, 3]


@given(st.lists(st.tuples(st.sampled_from(["ask", "tell", "fail", "look"]), st.integers(0, 9)), max_size=30))
def test_once_in_any_order(steps: list[tuple[str, int]]) -> None:
    study, told = study_in_memory(), list[int]()
    finished = FinishedTrials(study, lambda trial: told.append(trial.number))
    running: list[optuna.Trial] = []
    for what, which in [*steps, ("look", 0)]:
        if what == "ask":
            running.append(study.ask())
        elif what == "look":
            assert [trial.number for trial in finished.update()] == sorted(trial.number for trial in running)
        elif running:
            trial = running.pop(which % len(running))
            study.tell(trial, *(([0.0, 0.0],) if what == "tell" else (None, TrialState.FAIL)))
    assert sorted(told) == [trial.number for trial in study.trials if trial.state.is_finished()]


def test_a_trial_whose_telling_failed_is_told_again() -> None:
    study, told = study_in_memory(), list[int]()

    def tell(trial: optuna.trial.FrozenTrial) -> None:
        told.append(trial.number)
        if len(told) == 1:
            raise KeyboardInterrupt

    finished = FinishedTrials(study, tell)
    study.tell(study.ask(), [0.0, 0.0])
    with pytest.raises(KeyboardInterrupt):
        finished.update()
    finished.update()
    finished.update()
    assert told == [0, 0]


def test_what_a_finished_trial_says_is_worked_out_once() -> None:
    study, read = study_in_memory(), list[int]()
    said = SaidByTrials(lambda trial: read.append(trial.number) or trial.state.name)
    study.ask()
    assert [said.of(trial) for trial in study.get_trials(deepcopy=False)] == ["RUNNING"]
    study.tell(0, [0.0, 0.0])
    for _ in range(3):
        assert [said.of(trial) for trial in study.get_trials(deepcopy=False)] == ["COMPLETE"]
    assert read == [0, 0]
    other = study_in_memory()
    other.tell(other.ask(), state=TrialState.FAIL)
    assert said.of(other.get_trials(deepcopy=False)[0]) == "FAIL"
