"""What PrimeSVT does with Optuna's private names: where an update of Optuna breaks one, this shows it first."""

import optuna
import pytest

from primesvt.search.optuna_private import storage_of, was_enqueued, write_system_attr, write_user_attr


@pytest.fixture
def study() -> optuna.Study:
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), study_name="mine")
    study.enqueue_trial({"x": 0.5})
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    return study


def test_who_chose_the_parameters_is_known(study: optuna.Study) -> None:
    assert [was_enqueued(trial) for trial in study.trials] == [True, False]


def test_a_storage_is_found_and_trials_are_written_into(study: optuna.Study) -> None:
    assert optuna.get_all_study_names(storage_of(study)) == ["mine"]
    trial = study.ask()
    frozen = study.get_trials(deepcopy=False)[-1]
    write_user_attr(study, frozen, "seen", [1, 2])
    write_system_attr(study, trial, "kept", "here")
    assert study.trials[-1].user_attrs == {"seen": [1, 2]}
    assert study.trials[-1].system_attrs["kept"] == "here"
