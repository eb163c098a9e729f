"""Numbers of a model beside accuracy and bytes: a measure a file."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .energy import OperationEnergy
    from .inference_state import InferenceState, inference_state
    from .measure import Measure
    from .registry import MEASURES, measure_named, measures, measures_at_once
    from .units import Units

__all__ = [
    "MEASURES",
    "InferenceState",
    "Measure",
    "OperationEnergy",
    "Units",
    "inference_state",
    "measure_named",
    "measures",
    "measures_at_once",
]

lazily(__name__)
