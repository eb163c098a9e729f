"""The only place with private names of Optuna, and why.

A sampler has no public way to write into the trial that it samples: it gets a frozen copy. Optuna's own samplers go
through ``study._storage`` and ``trial._trial_id``, and so do we. Nor is there a public way from a study to the storage
that it was opened with, which is where the other studies are; nor to tell a trial that was enqueued from one that was
sampled, nor to read one trial alone.
"""

from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial


def storage_of(study: optuna.Study) -> BaseStorage:
    """The storage that holds a study."""
    return study._storage


def as_stored(trial: optuna.Trial) -> FrozenTrial:
    """A trial that runs, with all that was written into it."""
    return trial.study._storage.get_trial(trial._trial_id)


def was_enqueued(trial: FrozenTrial) -> bool:
    """Whether a trial was told its parameters, so that no sampler drew them."""
    return "fixed_params" in trial.system_attrs


def write_user_attr(study: optuna.Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Set an attribute that a person sees."""
    study._storage.set_trial_user_attr(trial._trial_id, key, value)


def write_system_attr(study: optuna.Study, trial: FrozenTrial | optuna.Trial, key: str, value: Any) -> None:
    """Set an attribute that a sampler reads."""
    study._storage.set_trial_system_attr(trial._trial_id, key, value)
