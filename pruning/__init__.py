"""How a model shrinks: plans, layers, criteria, surgery, repair, measures, memory, robustness."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .branches import branches
    from .byte_counter import ByteCounter
    from .calibration import DEFAULT_CALIBRATION, MOST_CALIBRATION, Calibration
    from .channel_statistics import Statistics
    from .criteria import CRITERIA, Criterion, criteria, criterion
    from .kept import Kept, Scores, kept_channels, scores_of
    from .layers import PrunableLayer, check_layers, choose_layers, matching_layers, prunable_layers
    from .matching import kept_channels_of
    from .measures import (
        MEASURES,
        InferenceState,
        Measure,
        OperationEnergy,
        Units,
        inference_state,
        measure_named,
        measures,
        measures_at_once,
    )
    from .plan import DEFAULT_CRITERION, PruningPlan, kept_count, load_plan, save_plan
    from .pruner import Pruner, Version, needs_calibration, prune
    from .repair import (
        NO_REPAIR,
        STEPS,
        Reference,
        RepairStep,
        StepReport,
        repair_steps,
        run_repair,
        step_names,
    )
    from .robustness import DEFAULT_RATES, Robustness, check_rates, measure_robustness, probes
    from .stored_bytes import kept_bytes, largest_saving, memory_saving, pruned_bytes
    from .surgery import remove, version_of

__all__ = [
    "CRITERIA",
    "DEFAULT_CALIBRATION",
    "DEFAULT_CRITERION",
    "DEFAULT_RATES",
    "MEASURES",
    "MOST_CALIBRATION",
    "NO_REPAIR",
    "STEPS",
    "ByteCounter",
    "Calibration",
    "Criterion",
    "InferenceState",
    "Kept",
    "Measure",
    "OperationEnergy",
    "PrunableLayer",
    "Pruner",
    "PruningPlan",
    "Reference",
    "RepairStep",
    "Robustness",
    "Scores",
    "Statistics",
    "StepReport",
    "Units",
    "Version",
    "branches",
    "check_layers",
    "check_rates",
    "choose_layers",
    "criteria",
    "criterion",
    "inference_state",
    "kept_bytes",
    "kept_channels",
    "kept_channels_of",
    "kept_count",
    "largest_saving",
    "load_plan",
    "matching_layers",
    "measure_named",
    "measure_robustness",
    "measures",
    "measures_at_once",
    "memory_saving",
    "needs_calibration",
    "probes",
    "prunable_layers",
    "prune",
    "pruned_bytes",
    "remove",
    "repair_steps",
    "run_repair",
    "save_plan",
    "scores_of",
    "step_names",
    "version_of",
]

lazily(__name__)
