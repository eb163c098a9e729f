"""The same seed gives the same study, also when it was interrupted.

Optuna's samplers draw from a generator that starts anew in every process: a resumed random search would repeat itself.
Here every trial gets a sampler of its own, seeded by the study's seed and the trial's place
(:mod:`primesvt.search.places`). All else a sampler of Optuna knows lies in the storage. A plan that is drawn again
(:mod:`primesvt.search.samplers.redraw`) is drawn by another one, seeded by the number of the draw, too.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ..attributes import REDRAWN
from ..optuna_private import write_user_attr
from ..places import Places, place_of
from ..workers import fail_dead_trials, sign
from .redraw import Redraw


class ReseededSampler(BaseSampler):
    """Delegates every trial to a freshly seeded sampler.

    Args:
        make: Makes the sampler from a seed.
        seed: The study's seed.
        redraw: What is drawn again before it is measured; None measures whatever was drawn.
    """

    def __init__(self, make: Callable[[int], BaseSampler], *, seed: int, redraw: Redraw | None = None) -> None:
        self._make = make
        self._seed = seed
        self._redraw = redraw if redraw is not None and redraw.times > 0 else None
        # Of the study that was asked about last.
        self._places = lru_cache(maxsize=1)(Places)
        # Places and generators of the trials that run: threads may run several.
        self._running: dict[tuple[str, int], tuple[int, BaseSampler]] = {}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the delegate does; the whole space where draws are looked at before they are measured."""
        if self._redraw is not None:
            return self._redraw.parameters
        return self._sampler(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the delegate does, or the first of its whole draws that is good enough to be measured."""
        if self._redraw is not None:
            return self._first_good(study, trial, self._redraw)
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
        place = self._places(study).take(trial)
        self._running[study.study_name, trial.number] = place, self._seeded(place)
        self._sampler(study, trial).before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """As the delegate does."""
        self._sampler(study, trial).after_trial(study, trial, state, values)
        self._running.pop((study.study_name, trial.number), None)

    def _first_good(self, study: optuna.Study, trial: FrozenTrial, redraw: Redraw) -> dict[str, Any]:
        """The first draw that is good enough; after too many, the nearest of them made good enough."""
        best, most = dict[str, Any](), -np.inf
        for number in range(redraw.times + 1):
            draw = self._draw(study, trial, redraw, number)
            saved = redraw.saved(draw)
            if redraw.meets(saved):
                break
            if saved > most:
                best, most = draw, saved
            if not number:  # what the first draw wrote into the trial need not be written again
                trial = next(t for t in study.get_trials(deepcopy=False) if t.number == trial.number)
        else:
            draw, number = redraw.smaller(best), redraw.times + 1
        if number:
            write_user_attr(study, trial, REDRAWN, number)
        return draw

    def _draw(self, study: optuna.Study, trial: FrozenTrial, redraw: Redraw, number: int) -> dict[str, Any]:
        """All parameters of a draw, as Optuna asks a sampler for them."""
        sampler = self._sampler(study, trial)
        if number:
            sampler = self._seeded(self._running[study.study_name, trial.number][0], number)
            sampler.before_trial(study, trial)
        draw = dict(sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial)))
        for name, distribution in redraw.parameters.items():
            if name not in draw:
                draw[name] = sampler.sample_independent(study, trial, name, distribution)
        return draw

    def _sampler(self, study: optuna.Study, trial: FrozenTrial) -> BaseSampler:
        key = study.study_name, trial.number
        if key not in self._running:  # begun elsewhere, or by hand
            place = place_of(trial)
            self._running[key] = place, self._seeded(place)
        return self._running[key][1]

    def _seeded(self, *numbers: int) -> BaseSampler:
        return self._make(int(np.random.SeedSequence((self._seed, *numbers)).generate_state(1)[0]))
