"""The paper's policy as an Optuna sampler: every step of it is a trial of the study.

See :mod:`primesvt.search.policy` for the policy, its source and our choices. The sampler keeps nothing on itself: the
next step follows from the study's finished trials, so a study that was killed at any trial goes on in a new process
with the same remaining trials and ends with the same plan. It ends its study when the pass is over.

The objective suggests a ratio for every layer and sets the constraints ``accuracy_drop`` and ``memory_saving``:

>>> import optuna
>>> from primesvt.search import PrioritizedPolicy, SearchSpace
>>> from primesvt.search.samplers import PrioritizedSampler
>>> space = SearchSpace(layers=("large", "small"), step=0.1, max_ratio=0.9)
>>> policy = PrioritizedPolicy(layers=space.layers, rates=(0.3, 0.6))
>>> def objective(trial):
...     ratios = space.suggest(trial).ratios
...     saving = 0.7 * ratios.get("large", 0) + 0.3 * ratios.get("small", 0)
...     trial.set_constraint("accuracy_drop", 10 * saving - 3)  # at most 3 points
...     trial.set_constraint("memory_saving", 0.25 - saving)  # at least 25 %
...     return saving, 0.9 - saving / 10
>>> sampler = PrioritizedSampler(policy, space.distributions)
>>> optuna.logging.set_verbosity(optuna.logging.WARNING)
>>> study = optuna.create_study(directions=["maximize", "maximize"], sampler=sampler)
>>> study.optimize(objective)  # ends by itself
>>> len(study.trials), dict(sampler.result(study))
(5, {'large': 0.3, 'small': 0.3})
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from primesvt.models import PrimeSVTError
from primesvt.models.options import option
from primesvt.pruning import DEFAULT_RATES, check_rates

from ..attributes import LAYER, PHASE
from ..constraints import ACCURACY_DROP, MEMORY_SAVING
from ..finished import SaidByTrials
from ..goals import keeps_all_but
from ..optuna_private import was_enqueued
from ..policy import Finished, Outcome, PrioritizedPolicy, Ratios
from ..space import SearchSpace
from ..workers import is_running
from .kind import Problem, SamplerKind
from .plan_sampler import PlanSampler, Proposal, result_of, stop


class PrioritizedSampler(PlanSampler):
    """Proposes the policy's next step.

    A trial that failed says nothing: its step is proposed again. A trial begun after the pass is over is pruned as soon
    as it asks for a ratio, so nothing is measured twice.

    Args:
        policy: Layers, rates and rules.
        distributions: The search space: a distribution per layer, which must contain 0 and the policy's rates.
        seed: Only for parameters that are no layers of the policy; those are drawn at random.

    Raises:
        PrimeSVTError: The search space lacks a layer or a rate of the policy.
    """

    key = "PrioritizedSampler:ratios"

    def __init__(
        self,
        policy: PrioritizedPolicy,
        distributions: Mapping[str, FloatDistribution],
        *,
        seed: int | None = None,
    ) -> None:
        for layer in policy.layers:
            if layer not in distributions:
                raise PrimeSVTError(f"The search space has no parameter {layer!r}, a layer of the policy.")
            for rate in (0.0, *policy.rates):
                if not _contains(distributions[layer], rate):
                    raise PrimeSVTError(f"The ratio {rate:g} is not in the search space of {layer!r}.")
        super().__init__(policy.layers, distributions, seed=seed)
        self._policy = policy
        self._said = SaidByTrials(self._outcome)

    def propose(self, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Proposal:
        """The policy's next step.

        Raises:
            TrialPruned: The pass is over; :meth:`after_trial` ends the study.
        """
        running = {self.proposed(t) for t in others if is_running(t)}
        step = self._policy.next(self._measured(others), running.__contains__)
        if isinstance(step, Finished):
            raise optuna.TrialPruned("The prioritized pass is over: there is nothing left to try.")
        return Proposal(step.ratios, {PHASE: step.phase, LAYER: step.layer})

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Stop the study when this trial was the last that the policy needed.

        Raises:
            PrimeSVTError: The objective does not do what the policy needs, so the pass could never end.
        """
        measured = self._measured([t for t in study.get_trials(deepcopy=False) if t.number != trial.number])
        if state == TrialState.COMPLETE:
            self._check(trial)
            measured = self._measured([trial], state=trial.state) | measured
        if isinstance(self._policy.next(measured), Finished):
            stop(study)

    def result(self, study: optuna.Study) -> Mapping[str, float] | None:
        """The policy's final plan, or None while the pass is not over."""
        step = self._policy.next(self._measured(study.get_trials(deepcopy=False)))
        return step.ratios if isinstance(step, Finished) else None

    def _check(self, trial: FrozenTrial) -> None:
        if not set(self._policy.layers) & trial.params.keys() or was_enqueued(trial):
            return
        if not {ACCURACY_DROP, MEMORY_SAVING} <= trial.constraints.keys():
            raise PrimeSVTError(
                f"The objective must call trial.set_constraint({ACCURACY_DROP!r}, ...) and "
                f"trial.set_constraint({MEMORY_SAVING!r}, ...); got constraints {sorted(trial.constraints)}."
            )
        if self.tried(trial) != self.proposed(trial):
            raise PrimeSVTError(
                f"The objective did not try the plan proposed: it tried {dict(self.tried(trial))} instead of "
                f"{dict(self.proposed(trial))}. It must suggest every layer's ratio, in a range with 0 and all rates."
            )

    def _measured(
        self, trials: Sequence[FrozenTrial], state: TrialState = TrialState.COMPLETE
    ) -> dict[Ratios, Outcome]:
        """Outcome of every plan among the trials, the first of each; trials without constraints say nothing."""
        said = (self._said.of(t) for t in reversed(trials) if t.state == state)
        return dict(each for each in said if each is not None)

    def _outcome(self, trial: FrozenTrial) -> tuple[Ratios, Outcome] | None:
        constraints = trial.constraints
        if not {ACCURACY_DROP, MEMORY_SAVING} <= constraints.keys():
            return None
        return self.tried(trial), Outcome(constraints[ACCURACY_DROP], keeps_all_but(ACCURACY_DROP, trial))


def _contains(distribution: FloatDistribution, ratio: float) -> bool:
    steps = (ratio - distribution.low) / (distribution.step or 1)
    on_grid = distribution.step is None or abs(steps - round(steps)) < 1e-8
    return on_grid and distribution.low <= ratio <= distribution.high


@dataclass(frozen=True, kw_only=True)
class PrioritizedOptions:
    """Options of the policy.

    Raises:
        PrimeSVTError: A value is not allowed.
    """

    rates: tuple[float, ...] = option(
        DEFAULT_RATES, help="ratios that are tried in every layer", metavar="A,B,...", above=0, below=1
    )
    slack: float = option(
        0.0, help="a layer is a target if, alone, it misses the limit of accuracy by at most this", metavar="POINTS"
    )
    exhaust: bool = option(False, help="go on to the limit of accuracy after the memory target is met")
    probe_first: bool = option(False, help="measure every layer alone at every rate before the pass begins")

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", check_rates(tuple(self.rates)))

    def policy(self, space: SearchSpace) -> PrioritizedPolicy:
        """The policy on a space.

        Raises:
            PrimeSVTError: A rate is not in the space, or an option makes no sense.
        """
        space.check(self.rates)
        return PrioritizedPolicy(
            layers=space.layers,
            rates=self.rates,
            slack=self.slack,
            exhaust=self.exhaust,
            probe_first=self.probe_first,
        )


def _make(problem: Problem, options: PrioritizedOptions, seed: int) -> BaseSampler:
    return PrioritizedSampler(options.policy(problem.space), problem.space.distributions, seed=seed)


PRIORITIZED = SamplerKind(
    name="prioritized",
    summary="the paper's policy",
    make=_make,
    options=PrioritizedOptions,
    deterministic=True,
    ends_by_itself=True,
    trials=lambda problem, options: options.policy(problem.space).most_trials,
    result=result_of,
    leeway=lambda options: max(options.slack, 0.0),
    largest_ratio=lambda _space, options: max(options.rates),
    # The paper stops at the memory target; a Pareto front has points beyond it.
    at_its_best=lambda options: replace(options, exhaust=True),
    earlier={"probe_first": True},
)
