"""What Optuna calls: a trial's plan in, memory saving, accuracy and constraints out, with what a person reads."""

import time
from dataclasses import dataclass, field

import optuna

from .attributes import DECIDED_EARLY, DIVERGENCE, EVALUATION, KEY, PHASE, REUSED, SAMPLING, START
from .constraints import Constraints
from .evaluation import Evaluation
from .evaluator import Evaluator
from .goals import Goals
from .optuna_private import as_stored
from .places import place_of
from .rejection import Rejection
from .reuse import KnownEvaluations
from .space import SearchSpace
from .stopping import StoppingRule
from .workers import renewing


@dataclass(frozen=True)
class Objective:
    """Evaluates a trial.

    Args:
        space: Where plans come from.
        evaluator: Measures them.
        constraints: The hard limits.
        baseline: The unpruned model on the same images.
        known: What the storage already holds.
        stopping: When to stop measuring a plan that misses the limit of accuracy; None measures every plan in full.
        goals: What a trial returns.
    """

    space: SearchSpace
    evaluator: Evaluator
    constraints: Constraints
    baseline: Evaluation
    known: KnownEvaluations
    stopping: StoppingRule | None = None
    goals: Goals = field(default_factory=Goals)

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        """The objectives of the trial's plan: memory saving, accuracy, and whatever else the goals name.

        User attributes: ``evaluation`` (all that was measured), ``accuracy_drop`` in points, ``interval`` of the
        accuracy, ``bytes``, ``divergence`` (see :func:`~primesvt.search.finite_divergence`), every measure by its name,
        ``images`` and ``seconds`` of the evaluation, ``sampler_seconds`` of proposing the plan, ``decided_early``
        (``exact`` or ``statistical``, absent where every image was asked), ``reused`` (where it was taken from, or
        absent), ``phase`` (``search`` where the sampler knows no phases, ``start`` for a plan that the study was told)
        and ``key``.

        Where it was decided early, accuracy, its drop and the divergence are estimates from the ``images`` seen, and
        the constraint on the accuracy is never kept.
        """
        # A sampler that has phases writes over this while the plan is suggested.
        trial.set_user_attr(PHASE, "start" if START in trial.user_attrs else "search")
        started = time.perf_counter()
        plan = self.space.suggest(trial)
        trial.set_user_attr(SAMPLING, round(time.perf_counter() - started, 3))
        key = self.evaluator.key(plan)
        trial.set_user_attr(KEY, key)
        with renewing(trial.study, trial):
            known = self.known.wait(trial, key, seconds=60 + 10 * self.baseline.seconds)
            if known is None:
                evaluation = self.evaluator.evaluate(plan, self._rejection(key, trial))
            else:
                evaluation = self.evaluator.completed(known.evaluation, plan)
                source = "baseline" if known.trial is None else f"trial {known.trial}"
                trial.set_user_attr(REUSED, f"{source} of {known.study}")
        self._record(trial, evaluation)
        return self.goals.values(evaluation)

    def _rejection(self, key: str, trial: optuna.Trial) -> Rejection | None:
        if self.stopping is None:
            return None
        return self.stopping.rejection(key, place_of(as_stored(trial)), self.evaluator.sureness)

    def _record(self, trial: optuna.Trial, evaluation: Evaluation) -> None:
        for name, value in self.constraints.of(evaluation, self.baseline).items():
            trial.set_constraint(name, value)
        trial.set_user_attr("accuracy_drop", round(evaluation.drop_from(self.baseline), 6))
        trial.set_user_attr("interval", [round(bound, 6) for bound in evaluation.interval])
        trial.set_user_attr("bytes", evaluation.bytes)
        trial.set_user_attr("images", evaluation.images)
        trial.set_user_attr("seconds", round(evaluation.seconds, 3))
        if evaluation.divergence is not None:
            trial.set_user_attr(DIVERGENCE, evaluation.divergence)
        for name, value in evaluation.measures.items():
            trial.set_user_attr(name, value)
        if evaluation.decided_early:
            trial.set_user_attr(DECIDED_EARLY, evaluation.decided_early)
        trial.set_user_attr(EVALUATION, evaluation.to_json())
