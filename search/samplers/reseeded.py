"""The same seed gives the same study, also when it was interrupted.

Optuna's samplers draw from a generator that starts anew in every process: a resumed random search would repeat itself.
Here every trial gets a sampler of its own, seeded by the study's seed and the trial's place
(:mod:`primesvt.search.places`). All else a sampler of Optuna knows lies in the storage.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ..places import place_of, take_place
from ..workers import fail_dead_trials, sign


class ReseededSampler(BaseSampler):
    """Delegates every trial to a freshly seeded sampler.

    Args:
        make: Makes the sampler from a seed.
        seed: The study's seed.
    """

    def __init__(self, make: Callable[[int], BaseSampler], *, seed: int) -> None:
        self._make = make
        self._seed = seed
        # Generators of the trials that run: threads may run several.
        self._running: dict[tuple[str, int], BaseSampler] = {}

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
        """Seed a delegate for the trial, then as it does."""
        # TPE and GP suppose results for trials that run.
        fail_dead_trials(study)
        sign(study, trial)
        self._running[study.study_name, trial.number] = self._seeded(take_place(study, trial))
        self._sampler(study, trial).before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As the delegate does."""
        self._sampler(study, trial).after_trial(study, trial, state, values)
        self._running.pop((study.study_name, trial.number), None)

    def _sampler(self, study: optuna.Study, trial: FrozenTrial) -> BaseSampler:
        key = study.study_name, trial.number
        if key not in self._running:  # begun elsewhere, or by hand
            self._running[key] = self._seeded(place_of(trial))
        return self._running[key]

    def _seeded(self, place: int) -> BaseSampler:
        return self._make(int(np.random.SeedSequence((self._seed, place)).generate_state(1)[0]))
