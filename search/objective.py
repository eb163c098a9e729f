"""What Optuna calls: a trial's plan in, memory saving, accuracy and constraints out, with what a person reads."""

from dataclasses import dataclass

import optuna

from .constraints import Constraints
from .evaluation import Evaluation
from .evaluator import Evaluator
from .places import place_of
from .policy import PHASE
from .rejection import Rejection
from .reuse import EVALUATION, KEY, KnownEvaluations
from .space import SearchSpace
from .stopping import StoppingRule

REUSED = "reused"
DECIDED_EARLY = "decided_early"


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
    """

    space: SearchSpace
    evaluator: Evaluator
    constraints: Constraints
    baseline: Evaluation
    known: KnownEvaluations
    stopping: StoppingRule | None = None

    def __call__(self, trial: optuna.Trial) -> tuple[float, float]:
        """Memory saving and accuracy of the trial's plan, both to be maximized.

        User attributes: ``evaluation`` (all that was measured), ``accuracy_drop`` in points, ``interval`` of the
        accuracy, ``bytes``, ``images`` and ``seconds`` of the evaluation, ``decided_early`` (``exact`` or
        ``statistical``, absent where every image was asked), ``reused`` (where it was taken from, or absent), ``phase``
        (``search`` where the sampler knows no phases) and ``key``.

        Where it was decided early, accuracy and interval are those of the ``images`` seen, ``accuracy_drop`` compares
        them with the unpruned model's on the same, and the constraint on it is never kept.
        """
        # A sampler that has phases writes over this while the plan is suggested.
        trial.set_user_attr(PHASE, "search")
        plan = self.space.suggest(trial)
        key = self.evaluator.key(plan)
        trial.set_user_attr(KEY, key)
        known = self.known.wait(key, trial.number, seconds=60 + 10 * self.baseline.seconds)
        if known is None:
            evaluation = self.evaluator.evaluate(plan, self._rejection(key, trial))
        else:
            evaluation = known.evaluation
            source = "baseline" if known.trial is None else f"trial {known.trial}"
            trial.set_user_attr(REUSED, f"{source} of {known.study}")
        self._record(trial, evaluation)
        return evaluation.memory_saving, evaluation.accuracy

    def _rejection(self, key: str, trial: optuna.Trial) -> Rejection | None:
        if self.stopping is None:
            return None
        frozen = next(t for t in trial.study.get_trials(deepcopy=False) if t.number == trial.number)
        return self.stopping.rejection(key, place_of(frozen))

    def _record(self, trial: optuna.Trial, evaluation: Evaluation) -> None:
        drop = evaluation.drop_from(self.baseline)
        for name, value in self.constraints.values(drop=drop, saving=evaluation.memory_saving).items():
            trial.set_constraint(name, value)
        trial.set_user_attr("accuracy_drop", round(drop, 6))
        trial.set_user_attr("interval", [round(bound, 6) for bound in evaluation.interval])
        trial.set_user_attr("bytes", evaluation.bytes)
        trial.set_user_attr("images", evaluation.images)
        trial.set_user_attr("seconds", round(evaluation.seconds, 3))
        if evaluation.decided_early:
            trial.set_user_attr(DECIDED_EARLY, evaluation.decided_early)
        trial.set_user_attr(EVALUATION, evaluation.to_json())
