"""The paper's policy as an Optuna sampler: every step of it is a trial of the study.

See :mod:`primesvt.search.policy` for the policy, its source and our choices. The sampler keeps nothing on itself: the
next step follows from the study's finished trials, so a study that was killed at any trial goes on in a new process
with the same remaining trials and ends with the same plan. It ends its study when the pass is over.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from ..constraints import ACCURACY_DROP, MEMORY_SAVING
from ..policy import Finished, Outcome, PrioritizedPolicy, Ratios, ratios

PHASE = "phase"
LAYER = "layer"
_STEP = "PrioritizedSampler:ratios"


class PrioritizedSampler(BaseSampler):
    """Proposes the policy's next step.

    Args:
        policy: Layers, rates and rules.
        distributions: The search space: a distribution per layer, which must contain 0 and the policy's rates.
        seed: Only for parameters that are no layers of the policy; those are drawn at random.
    """

    def __init__(
        self,
        policy: PrioritizedPolicy,
        distributions: Mapping[str, BaseDistribution],
        *,
        seed: int | None = None,
    ) -> None:
        self._policy = policy
        self._distributions = dict(distributions)
        self._others = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The layers' ratios."""
        return dict(self._distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next step's plan; once the pass is over, its final plan again."""
        if not search_space:
            return {}
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        running = {self._asked(t) for t in others if t.state == TrialState.RUNNING}
        step = self._policy.next(_measured(others), running.__contains__)
        phase, layer = ("finished", "") if isinstance(step, Finished) else (step.phase, step.layer)
        # Written to the storage as soon as it is decided, so that other workers do not decide the same.
        for key, value in ((PHASE, phase), (LAYER, layer)):
            study._storage.set_trial_user_attr(trial._trial_id, key, value)
        study._storage.set_trial_system_attr(trial._trial_id, _STEP, dict(step.ratios))
        return {layer: step.ratios.get(layer, 0.0) for layer in search_space}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random: the policy has nothing to say about parameters that are no layers."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """For parallel workers."""
        self._others.reseed_rng()

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Stop the study when this trial was the last that the policy needed."""
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        measured = _measured(others)
        if state == TrialState.COMPLETE:
            measured |= _measured([trial], states=(TrialState.RUNNING, TrialState.COMPLETE))
        if self._distributions and isinstance(self._policy.next(measured), Finished):
            with suppress(RuntimeError):  # asked and told by hand: there is no loop to stop
                study.stop()

    def result(self, study: optuna.Study) -> Mapping[str, float] | None:
        """The policy's final plan, or None while the pass is not over."""
        step = self._policy.next(_measured(study.get_trials(deepcopy=False)))
        return step.ratios if isinstance(step, Finished) else None

    @staticmethod
    def _asked(trial: FrozenTrial) -> Ratios:
        return ratios(trial.system_attrs.get(_STEP, trial.params))


def _measured(
    trials: Sequence[FrozenTrial], states: tuple[TrialState, ...] = (TrialState.COMPLETE,)
) -> dict[Ratios, Outcome]:
    """Outcome of every plan among the trials; trials without constraints say nothing to the policy."""
    return {
        ratios(t.params): Outcome(t.constraints[ACCURACY_DROP], t.constraints[MEMORY_SAVING] <= 0)
        for t in trials
        if t.state in states and {ACCURACY_DROP, MEMORY_SAVING} <= t.constraints.keys()
    }
