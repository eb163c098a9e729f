"""Studies read back from their storage."""

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from primesvt.models import PrimeSVTError
from primesvt.studies.running.study_run import finished_run, load_run, plan_of_trial
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model
from .test_runner import interrupt, run


def test_load_run_and_plan_of_trial() -> None:
    storage = InMemoryStorage()
    result = run(storage, sampler="random", trials=3, criterion="l1")
    study = load_run("s", storage)
    assert plan_of_trial(study, 1, tiny_model()) == result.plan(result.finished[1])
    assert plan_of_trial(study, 1, tiny_model()).criterion == "l1"
    with pytest.raises(PrimeSVTError, match="no finished trial 3; it has 3 finished trials"):
        plan_of_trial(study, 3, tiny_model())
    with pytest.raises(PrimeSVTError, match="'s' is about another model"):
        plan_of_trial(study, 1, tiny_model(seed=1))
    with pytest.raises(PrimeSVTError, match="No study 't' in this storage; it has s"):
        load_run("t", storage)
    optuna.create_study(study_name="theirs", storage=storage)
    with pytest.raises(PrimeSVTError, match="'theirs' was not made by PrimeSVT"):
        load_run("theirs", storage)


def test_a_failed_trial_has_no_plan() -> None:
    storage = InMemoryStorage()
    stopped = run(storage, on_batch=interrupt(3))
    failed = stopped.study.get_trials(states=(TrialState.FAIL,))[0].number
    with pytest.raises(PrimeSVTError, match=f"no finished trial {failed}"):
        plan_of_trial(stopped.study, failed, tiny_model())


def test_finished_run_is_the_run() -> None:
    storage = InMemoryStorage()
    result = run(storage)
    again = finished_run("s", storage, Subject(tiny_model(), noisy_data()))
    assert again.to_json() == result.to_json()
    assert again.baseline == result.baseline
    assert again.over
    with pytest.raises(PrimeSVTError, match="another model"):
        finished_run("s", storage, Subject(tiny_model(seed=1), noisy_data()))
