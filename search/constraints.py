"""The user's hard limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Self

from primesvt.models import PrimeSVTError

from .evaluation import Evaluation

ACCURACY_DROP = "accuracy_drop"
MEMORY_SAVING = "memory_saving"

# The headline of the paper: three points of accuracy for 26.68 % of the memory.
PAPER_MAX_DROP = 3.0
PAPER_MIN_SAVING = 0.2668


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a plan must keep.

    Args:
        max_drop: Accuracy may fall by at most this many percentage points below the unpruned model's on the same
            images.
        min_saving: At least this fraction of the model's bytes must be saved.
        margin: Points by which a search stays clear of ``max_drop``, because a limit kept on the selection set can be
            missed on unseen images by chance.
        limits: The most that each of some measures may be, by the measure's name.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    max_drop: float = PAPER_MAX_DROP
    min_saving: float = PAPER_MIN_SAVING
    margin: float = 0.0
    limits: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.max_drop) and 0 <= self.max_drop <= 100):
            raise PrimeSVTError(f"max-drop is in percentage points, between 0 and 100; got {self.max_drop}.")
        if not 0 <= self.min_saving < 1:
            raise PrimeSVTError(
                f"min-saving is a fraction of the model's bytes, at least 0 and below 1 (0.2668 is 26.68 %); "
                f"got {self.min_saving}."
            )
        if not 0 <= self.margin <= self.max_drop:
            raise PrimeSVTError(f"margin must be between 0 and max-drop ({self.max_drop}) points, got {self.margin}.")
        for name, most in self.limits.items():
            if not (math.isfinite(most) and most > 0):
                raise PrimeSVTError(f"The limit of {name} must be a number above 0, got {most}.")
        object.__setattr__(self, "limits", MappingProxyType({name: float(most) for name, most in self.limits.items()}))

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy can be neither pickled nor copied.
        return type(self).from_json, (self.to_json(),)

    def to_json(self) -> dict[str, Any]:
        """Plain data; :meth:`from_json` reads it back."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**values, "limits": dict(self.limits)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote, also that of earlier versions."""
        return cls(**data)

    def of(self, evaluation: Evaluation, baseline: Evaluation) -> Mapping[str, float]:
        """The constraint values of what was measured, see :meth:`values`."""
        drop, measures = evaluation.drop_from(baseline), evaluation.measures
        return self.values(drop=drop, saving=evaluation.memory_saving, measures=measures)

    def values(
        self, *, drop: float, saving: float, measures: Mapping[str, float] = MappingProxyType({})
    ) -> Mapping[str, float]:
        """Optuna's constraint values, by name: at most 0 where the limit is kept.

        All are on one scale, as Optuna's samplers add them up to say which plan misses the limits less: percentage
        points of accuracy and of the bytes, and of a measure the per cent by which it is above its limit.

        Args:
            drop: Percentage points lost against the unpruned model.
            saving: Fraction of the bytes saved.
            measures: What is limited beside them, by name.
        """
        # Rounded, because 3.0000000000000004 points are 3 points.
        return {
            ACCURACY_DROP: round(drop - (self.max_drop - self.margin), 9),
            MEMORY_SAVING: round(100 * (self.min_saving - saving), 9),
            **{name: round(100 * (measures[name] / most - 1), 9) for name, most in self.limits.items()},
        }

    def kept(self, *, drop: float, saving: float, measures: Mapping[str, float] = MappingProxyType({})) -> bool:
        """Whether all limits are kept."""
        return all(value <= 0 for value in self.values(drop=drop, saving=saving, measures=measures).values())

    def without_margin(self) -> "Constraints":
        """The limits that the user asked for: what the test set is held against."""
        return replace(self, margin=0.0)
