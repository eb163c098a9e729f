"""Repair without training: what pruning breaks is solved for, from a few hundred images without labels."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .divergence import divergence
    from .least_squares import LeastSquares
    from .mean import Mean
    from .norm import Norm
    from .reference import Reference
    from .run import StepReport, run_repair
    from .step import NewTensors, RepairStep
    from .steps import NO_REPAIR, STEPS, repair_steps, step_names

__all__ = [
    "NO_REPAIR",
    "STEPS",
    "LeastSquares",
    "Mean",
    "NewTensors",
    "Norm",
    "Reference",
    "RepairStep",
    "StepReport",
    "divergence",
    "repair_steps",
    "run_repair",
    "step_names",
]

lazily(__name__)
