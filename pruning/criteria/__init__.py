"""Which channels of a layer go first: a criterion a file."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .criterion import Criterion, filter_norms, summed
    from .registry import CRITERIA, criteria, criterion

__all__ = ["CRITERIA", "Criterion", "criteria", "criterion", "filter_norms", "summed"]

lazily(__name__)
