"""Which channels of a layer go first: a criterion a file."""

from .criterion import Criterion, filter_norms, summed
from .registry import CRITERIA, criteria, criterion

__all__ = ["CRITERIA", "Criterion", "criteria", "criterion", "filter_norms", "summed"]
