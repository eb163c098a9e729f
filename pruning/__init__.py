"""How a model shrinks: plans, layers, importance, surgery, memory, robustness."""

from .importance import CRITERIA, Criterion, criterion
from .kept import Kept, Scores, kept_channels, scores_of
from .layers import PrunableLayer, check_layers, prunable_layers
from .memory import InferenceState, inference_state, kept_bytes, largest_saving, memory_saving, pruned_bytes
from .plan import DEFAULT_CRITERION, PruningPlan, kept_count, load_plan, save_plan
from .robustness import DEFAULT_RATES, Robustness, check_rates, measure_robustness, probes
from .surgery import prune, remove, version_of

__all__ = [
    "CRITERIA",
    "DEFAULT_CRITERION",
    "DEFAULT_RATES",
    "Criterion",
    "InferenceState",
    "Kept",
    "PrunableLayer",
    "PruningPlan",
    "Robustness",
    "Scores",
    "check_layers",
    "check_rates",
    "criterion",
    "inference_state",
    "kept_bytes",
    "kept_channels",
    "kept_count",
    "largest_saving",
    "load_plan",
    "measure_robustness",
    "memory_saving",
    "probes",
    "prunable_layers",
    "prune",
    "pruned_bytes",
    "remove",
    "save_plan",
    "scores_of",
    "version_of",
]
