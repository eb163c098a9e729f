"""Numbers of a model beside accuracy and bytes: a measure a file."""

from .inference_state import InferenceState, inference_state
from .measure import Measure
from .registry import MEASURES, measure_named, measures

__all__ = ["MEASURES", "InferenceState", "Measure", "inference_state", "measure_named", "measures"]
