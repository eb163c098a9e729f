"""What is read of a study without its model."""

import optuna
from optuna.storages import InMemoryStorage

from primesvt.studies.dashboard.inspected import Inspected
from primesvt.studies.running.study_run import SETTINGS

from .studies import TRIALS, study


def test_the_best_keeps_the_limits_and_the_nearest_is_shown_where_none_does() -> None:
    inspected = Inspected.of(study(InMemoryStorage()))
    assert inspected is not None
    assert inspected.best is not None
    assert inspected.best.number == 3
    none = Inspected.of(study(InMemoryStorage(), trials=[TRIALS[0], TRIALS[4]]))
    assert none is not None
    assert none.best is None
    assert none.shown is not None
    assert none.shown.number == 1


def test_studies_of_others_are_none() -> None:
    storage = InMemoryStorage()
    other = optuna.create_study(storage=storage)
    assert Inspected.of(other) is None
    other.set_user_attr(SETTINGS, "theirs")
    assert Inspected.of(other) is None
    unknown = study(storage)
    unknown.set_user_attr(SETTINGS, {**unknown.user_attrs[SETTINGS], "sampler": "of-a-package-that-is-gone"})
    assert Inspected.of(unknown) is None
