"""How a plan is chosen: space, constraints, evaluator, objective, policy, samplers."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .attributes import (
        BASELINE,
        BASELINE_KEY,
        BASELINE_RIGHT,
        DECIDED_EARLY,
        DIVERGENCE,
        EVALUATION,
        KEY,
        LAYER,
        PHASE,
        RATIOS,
        REDRAWN,
        REUSED,
        SAMPLING,
        START,
    )
    from .baseline import baseline_of
    from .budget_space import BudgetSpace
    from .constraints import ACCURACY_DROP, MEMORY_SAVING, Constraints
    from .evaluation import Counted, Evaluation, finite_divergence

    # Names of earlier versions.
    from .evaluation import Counted as Measured
    from .evaluation import finite_divergence as divergence
    from .evaluator import DEFAULT_CACHE, Evaluator, Forwards
    from .evaluator import DEFAULT_CACHE as DEFAULT_MEMORY
    from .finished import FinishedTrials
    from .goals import (
        Goals,
        Quantity,
        accuracy_of,
        best_trial,
        decided_early,
        has_goals,
        is_feasible,
        nearest_trial,
        saving_of,
        violation,
    )
    from .objective import Objective
    from .places import Places
    from .policy import Finished, Outcome, PrioritizedPolicy, Step, ratios
    from .rejection import EXACT, STATISTICAL, Rejection
    from .reuse import Known, KnownEvaluations, evaluation_of
    from .space import SearchSpace, ratios_of
    from .stopping import StoppingRule
    from .workers import give_up, is_mine, is_running, lost_trial, signature


__all__ = [
    "ACCURACY_DROP",
    "BASELINE",
    "BASELINE_KEY",
    "BASELINE_RIGHT",
    "DECIDED_EARLY",
    "DEFAULT_CACHE",
    "DEFAULT_MEMORY",
    "DIVERGENCE",
    "EVALUATION",
    "EXACT",
    "KEY",
    "LAYER",
    "MEMORY_SAVING",
    "PHASE",
    "RATIOS",
    "REDRAWN",
    "REUSED",
    "SAMPLING",
    "START",
    "STATISTICAL",
    "BudgetSpace",
    "Constraints",
    "Counted",
    "Evaluation",
    "Evaluator",
    "Finished",
    "FinishedTrials",
    "Forwards",
    "Goals",
    "Known",
    "KnownEvaluations",
    "Measured",
    "Objective",
    "Outcome",
    "Places",
    "PrioritizedPolicy",
    "Quantity",
    "Rejection",
    "SearchSpace",
    "Step",
    "StoppingRule",
    "accuracy_of",
    "baseline_of",
    "best_trial",
    "decided_early",
    "divergence",
    "evaluation_of",
    "finite_divergence",
    "give_up",
    "has_goals",
    "is_feasible",
    "is_mine",
    "is_running",
    "lost_trial",
    "nearest_trial",
    "ratios",
    "ratios_of",
    "saving_of",
    "signature",
    "violation",
]

lazily(__name__)
