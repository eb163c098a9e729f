"""How a plan is chosen: space, constraints, evaluator, objective, policy, samplers."""

from .constraints import ACCURACY_DROP, DIRECTIONS, MEMORY_SAVING, OBJECTIVES, Constraints
from .evaluator import Evaluation, Evaluator, measure
from .objective import REUSED, Objective
from .policy import LAYER, PHASE, Finished, Outcome, PrioritizedPolicy, Step, ratios
from .reuse import BASELINE, BASELINE_KEY, EVALUATION, KEY, Known, KnownEvaluations, evaluation_of
from .space import SearchSpace
from .workers import is_mine, is_running

__all__ = [
    "ACCURACY_DROP",
    "BASELINE",
    "BASELINE_KEY",
    "DIRECTIONS",
    "EVALUATION",
    "KEY",
    "LAYER",
    "MEMORY_SAVING",
    "OBJECTIVES",
    "PHASE",
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
    "is_mine",
    "is_running",
    "measure",
    "ratios",
]
