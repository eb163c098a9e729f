"""A storage whose trials are signed from the first: others see at once whether a worker lives, however early it died.

Optuna begins a trial, and asks the sampler then, which signs it too, wherever it is used. A worker that was killed in
between would leave a trial of which nobody can tell whether it is dead or just begun.
"""

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from primesvt.search import signature

from .delegating_storage import DelegatingStorage


class SigningStorage(DelegatingStorage):
    """Does what another storage does, and signs the trials that this thread begins."""

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """As Optuna's."""
        trial = template_trial or optuna.create_trial(state=TrialState.RUNNING, system_attrs=signature())
        return self.inner.create_new_trial(study_id, trial)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's; a trial that was waiting is signed before it runs."""
        if state == TrialState.RUNNING:
            for key, value in signature().items():
                self.inner.set_trial_system_attr(trial_id, key, value)
        return self.inner.set_trial_state_values(trial_id, state, values)
