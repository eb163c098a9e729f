"""The same seed gives the same study, also when it was interrupted.

Optuna's samplers draw from a generator that starts anew in every process: a resumed random search would repeat itself.
Here every trial gets a sampler of its own, seeded by the study's seed and the trial's place among those that did not
fail. All else a sampler of Optuna knows lies in the storage.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class ReseededSampler(BaseSampler):
    """Delegates every trial to a freshly seeded sampler.

    Args:
        make: Makes the sampler from a seed.
        seed: The study's seed.
    """

    def __init__(self, make: Callable[[int], BaseSampler], *, seed: int) -> None:
        self._make = make
        self._seed = seed
        self._current: tuple[int, BaseSampler] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the delegate does."""
        return self._sampler(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the delegate does."""
        return self._sampler(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the delegate does."""
        return self._sampler(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As the delegate does."""
        self._sampler(study, trial).before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As the delegate does."""
        self._sampler(study, trial).after_trial(study, trial, state, values)

    def _sampler(self, study: optuna.Study, trial: FrozenTrial) -> BaseSampler:
        current = self._current
        if current is None or current[0] != trial.number:
            failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
            place = trial.number - sum(t.number < trial.number for t in failed)
            seed = int(np.random.SeedSequence((self._seed, place)).generate_state(1)[0])
            self._current = current = (trial.number, self._make(seed))
        return current[1]
