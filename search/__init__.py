"""How a plan is chosen: space, constraints, evaluator, objective, policy, samplers."""

from .baseline import baseline_of
from .constraints import ACCURACY_DROP, DIRECTIONS, MEMORY_SAVING, OBJECTIVES, Constraints
from .evaluation import Evaluation, Measured, divergence
from .evaluator import DEFAULT_MEMORY, Evaluator, Forwards
from .objective import DECIDED_EARLY, REUSED, Objective
from .policy import LAYER, PHASE, Finished, Outcome, PrioritizedPolicy, Step, ratios
from .rejection import EXACT, STATISTICAL, Rejection
from .reuse import BASELINE, BASELINE_KEY, EVALUATION, KEY, Known, KnownEvaluations, evaluation_of
from .space import SearchSpace
from .stopping import StoppingRule
from .workers import is_mine, is_running

__all__ = [
    "ACCURACY_DROP",
    "BASELINE",
    "BASELINE_KEY",
    "DECIDED_EARLY",
    "DEFAULT_MEMORY",
    "DIRECTIONS",
    "EVALUATION",
    "EXACT",
    "KEY",
    "LAYER",
    "MEMORY_SAVING",
    "OBJECTIVES",
    "PHASE",
    "REUSED",
    "STATISTICAL",
    "Constraints",
    "Evaluation",
    "Evaluator",
    "Finished",
    "Forwards",
    "Known",
    "KnownEvaluations",
    "Measured",
    "Objective",
    "Outcome",
    "PrioritizedPolicy",
    "Rejection",
    "SearchSpace",
    "Step",
    "StoppingRule",
    "baseline_of",
    "divergence",
    "evaluation_of",
    "is_mine",
    "is_running",
    "ratios",
]
