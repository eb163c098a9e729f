"""What samplers that propose whole plans have in common: a trial is signed, gets its place, and one plan.

The plan is written into the storage as soon as it is decided, so that other workers do not decide the same.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from ..optuna_private import write_system_attr, write_user_attr
from ..places import Places
from ..policy import Ratios, ratios
from ..workers import fail_dead_trials, sign


@dataclass(frozen=True)
class Proposal:
    """A plan to try.

    Args:
        ratios: Of the layers; those with ratio 0 may be left out.
        told: What a person reads of it: user attributes of the trial.
    """

    ratios: Mapping[str, float]
    told: Mapping[str, str] = field(default_factory=dict)


class PlanSampler(BaseSampler):
    """Proposes one plan a trial; parameters that are no layers are drawn at random.

    A trial that failed says nothing, and gives its place back. What it proposes follows from the trials alone; what
    finished trials say is remembered only to be read once.

    Args:
        layers: The parameters that are layers.
        distributions: The search space, a distribution per layer.
        seed: For parameters that are no layers.
    """

    # The trial's system attribute that holds the plan; of every sampler its own.
    key: ClassVar[str]

    def __init__(
        self, layers: Sequence[str], distributions: Mapping[str, FloatDistribution], *, seed: int | None = None
    ) -> None:
        self._layers = tuple(layers)
        self._distributions = dict(distributions)
        self._others = RandomSampler(seed=seed)
        # Of the study that was asked about last.
        self._places = lru_cache(maxsize=1)(Places)

    @abstractmethod
    def propose(self, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Proposal:
        """The next plan.

        Args:
            trial: The trial that begins, with its place.
            others: All other trials of the study.

        Raises:
            TrialPruned: There is nothing left to try.
        """

    def result(self, study: optuna.Study) -> Mapping[str, float] | None:
        """The ratios of the plan that the study ended with; None while it goes on, or where it has no end."""
        del study
        return None

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Sign the trial, so that others see whether it still runs, and give it its place."""
        fail_dead_trials(study)
        sign(study, trial)
        self._places(study).take(trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The layers' ratios."""
        return dict(self._distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next plan; parameters that are no layers are drawn at random.

        Raises:
            TrialPruned: There is nothing left to try.
        """
        trials = study.get_trials(deepcopy=False)
        own = next(t for t in trials if t.number == trial.number)
        proposal = self.propose(own, [t for t in trials if t.number != trial.number])
        write_system_attr(study, trial, self.key, dict(proposal.ratios))
        for name, text in proposal.told.items():
            write_user_attr(study, trial, name, text)
        return {
            name: proposal.ratios.get(name, 0.0)
            if name in self._layers
            else self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random: nothing is known about parameters that are no layers."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """For parallel workers."""
        self._others.reseed_rng()

    def tried(self, trial: FrozenTrial) -> Ratios:
        """The plan that a trial tried."""
        return ratios({layer: trial.params[layer] for layer in self._layers if layer in trial.params})

    def proposed(self, trial: FrozenTrial) -> Ratios:
        """The plan that a trial was to try."""
        return ratios(trial.system_attrs[self.key]) if self.key in trial.system_attrs else self.tried(trial)


def result_of(sampler: BaseSampler, study: optuna.Study) -> Mapping[str, float] | None:
    """What a :class:`~primesvt.search.samplers.SamplerKind` answers of a sampler of plans that ends by itself."""
    return sampler.result(study) if isinstance(sampler, PlanSampler) else None


def stop(study: optuna.Study) -> None:
    """End a study after the trial that runs."""
    with suppress(RuntimeError):  # asked and told by hand: there is no loop to stop
        study.stop()
