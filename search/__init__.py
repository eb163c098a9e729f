"""How a plan is chosen: space, constraints, evaluator, objective, policy, samplers."""

from .constraints import ACCURACY_DROP, DIRECTIONS, MEMORY_SAVING, OBJECTIVES, Constraints
from .evaluator import Evaluation, Evaluator, measure
from .objective import PROCESS, REUSED, Objective, process_is_dead
from .policy import Finished, Outcome, PrioritizedPolicy, Step, ratios
from .reuse import BASELINE, BASELINE_KEY, EVALUATION, Known, KnownEvaluations, evaluation_of
from .space import SearchSpace

__all__ = [
    "ACCURACY_DROP",
    "BASELINE",
    "BASELINE_KEY",
    "DIRECTIONS",
    "EVALUATION",
    "MEMORY_SAVING",
    "OBJECTIVES",
    "PROCESS",
    "REUSED",
    "Constraints",
    "Evaluation",
    "Evaluator",
    "Finished",
    "Known",
    "KnownEvaluations",
    "Objective",
    "Outcome",
    "PrioritizedPolicy",
    "SearchSpace",
    "Step",
    "evaluation_of",
    "measure",
    "process_is_dead",
    "ratios",
]
