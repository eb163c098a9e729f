"""The user's hard limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Self

from primesvt.models import PrimeSVTError
from primesvt.models.options import check_options, option

from .evaluation import Evaluation

ACCURACY_DROP = "accuracy_drop"
MEMORY_SAVING = "memory_saving"

# The headline of the paper: three points of accuracy for 26.68 % of the memory.
PAPER_MAX_DROP = 3.0
PAPER_MIN_SAVING = 0.2668


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a plan must keep.

    A margin is there because a limit that is kept on the selection set can be missed on unseen images by chance. Beside
    the options, ``limits`` is the most that each of some measures may be, by the measure's name.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    max_drop: float = option(
        PAPER_MAX_DROP,
        help="percentage points by which accuracy may fall at most, below the unpruned model's on the same images",
        metavar="POINTS",
        meaning="in percentage points",
        least=0,
        most=100,
    )
    min_saving: float = option(
        PAPER_MIN_SAVING,
        help="fraction of the model's bytes that must be saved at least; 0.2668 is 26.68 %",
        metavar="FRACTION",
        meaning="a fraction of the model's bytes (0.2668 is 26.68 %)",
        least=0,
        below=1,
    )
    margin: float = option(
        0.0,
        help="points by which a search stays clear of --max-drop, so that unseen images keep it too",
        metavar="POINTS",
    )
    limits: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_options(self)
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
        return {
            ACCURACY_DROP: self.excess(drop),
            MEMORY_SAVING: self.shortfall(saving),
            **{name: round(100 * (measures[name] / most - 1), 9) for name, most in self.limits.items()},
        }

    def excess(self, drop: float) -> float:
        """Points by which a drop of accuracy is beyond the limit less the margin; at most 0 where it is kept."""
        # Rounded, because 3.0000000000000004 points are 3 points.
        return round(drop - (self.max_drop - self.margin), 9)

    def shortfall(self, saving: float) -> float:
        """Points of the bytes by which a saving, a fraction, misses the limit; at most 0 where it is kept."""
        return round(100 * (self.min_saving - saving), 9)

    def kept(self, *, drop: float, saving: float, measures: Mapping[str, float] = MappingProxyType({})) -> bool:
        """Whether all limits are kept."""
        return all(value <= 0 for value in self.values(drop=drop, saving=saving, measures=measures).values())

    def without_margin(self) -> "Constraints":
        """The limits that the user asked for: what the test set is held against."""
        return replace(self, margin=0.0)
