"""What Optuna calls: a trial's plan in, memory saving, accuracy and constraints out, with what a person reads."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

import optuna

from .constraints import Constraints
from .evaluator import Evaluation, Evaluator
from .reuse import EVALUATION, KEY, KnownEvaluations
from .space import SearchSpace

PROCESS = "process"
REUSED = "reused"


@dataclass(frozen=True)
class Objective:
    """Evaluates a trial.

    Args:
        space: Where plans come from.
        evaluator: Measures them.
        constraints: The hard limits.
        baseline: The unpruned model on the same images.
        known: What the storage already holds.
    """

    space: SearchSpace
    evaluator: Evaluator
    constraints: Constraints
    baseline: Evaluation
    known: KnownEvaluations

    def __call__(self, trial: optuna.Trial) -> tuple[float, float]:
        """Memory saving and accuracy of the trial's plan, both to be maximized.

        User attributes: ``evaluation`` (all that was measured), ``accuracy_drop`` in points, ``interval`` of the
        accuracy, ``bytes``, ``images`` and ``seconds`` of the evaluation, ``reused`` (where it was taken from, or
        absent), ``key`` and ``process``.
        """
        trial.set_user_attr(PROCESS, this_process())
        plan = self.space.suggest(trial)
        key = self.evaluator.key(plan)
        known = self.known.find(key)
        if known is None:
            evaluation = self.evaluator.evaluate(plan)
        else:
            evaluation = known.evaluation
            source = "baseline" if known.trial is None else f"trial {known.trial}"
            trial.set_user_attr(REUSED, f"{source} of {known.study}")
        self._record(trial, key, evaluation)
        return evaluation.memory_saving, evaluation.accuracy

    def _record(self, trial: optuna.Trial, key: str, evaluation: Evaluation) -> None:
        drop = evaluation.drop_from(self.baseline)
        for name, value in self.constraints.values(drop=drop, saving=evaluation.memory_saving).items():
            trial.set_constraint(name, value)
        trial.set_user_attr("accuracy_drop", round(drop, 6))
        trial.set_user_attr("interval", [round(bound, 6) for bound in evaluation.interval])
        trial.set_user_attr("bytes", evaluation.bytes)
        trial.set_user_attr("images", evaluation.images)
        trial.set_user_attr("seconds", round(evaluation.seconds, 3))
        trial.set_user_attr(KEY, key)
        trial.set_user_attr(EVALUATION, evaluation.to_json())


def this_process() -> str:
    """Host and process, to tell a trial that runs from one whose process died."""
    return f"{socket.gethostname()}:{os.getpid()}"


def process_is_dead(process: str | None, started: datetime | None) -> bool:
    """Whether a running trial can never finish.

    Args:
        process: What :func:`this_process` said when the trial began; None where it did not come so far.
        started: When the trial began.

    Returns:
        True where its process is gone, or is this one, which has no other trial; a process of another host is taken to
        live.
    """
    if process is None:
        # Another worker may just be starting it.
        return started is None or datetime.now() - started > timedelta(minutes=1)
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname():
        return False
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
