"""Trials are signed from the first, whoever dies how early; and a storage that delegates leaves nothing out."""

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from primesvt.search import is_mine, is_running
from primesvt.search.workers import WORKER
from primesvt.studies.running.delegating_storage import DelegatingStorage
from primesvt.studies.running.signing_storage import SigningStorage


def test_every_call_of_a_storage_is_delegated() -> None:
    public = {name for name in dir(BaseStorage) if not name.startswith("_")} - {"check_trial_is_updatable"}
    calls: list[str] = []

    class Told(DelegatingStorage):
        def asked(self, call: object) -> None:  # type: ignore[override]
            calls.append(name)

    for name in sorted(public):
        getattr(Told(InMemoryStorage()), name)()
    assert calls == sorted(public)


def test_a_trial_is_signed_before_any_sampler_is_asked() -> None:
    study = optuna.create_study(storage=SigningStorage(InMemoryStorage()))
    study.enqueue_trial({"x": 0.5})
    study.add_trial(optuna.create_trial(state=TrialState.RUNNING, system_attrs={WORKER: "elsewhere:1:a:2"}))
    study._storage.create_new_trial(study._study_id)
    waiting, theirs, mine = study.trials
    assert is_mine(mine)
    assert is_running(mine)
    assert not is_mine(waiting)  # nobody has begun it
    assert theirs.system_attrs[WORKER] == "elsewhere:1:a:2"
    study.ask()
    assert is_mine(study.trials[0])
    assert study.trials[0].state == TrialState.RUNNING
