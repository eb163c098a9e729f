"""The user's hard limits, and what a search optimizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from primesvt.models import PrimeSVTError
from primesvt.models.options import check_options, option

# The objectives, in the order of a trial's values; both are maximized.
OBJECTIVES = ("memory_saving", "accuracy")
DIRECTIONS: tuple[Literal["maximize"], Literal["maximize"]] = ("maximize", "maximize")

ACCURACY_DROP = "accuracy_drop"
MEMORY_SAVING = "memory_saving"

# The headline of the paper: three points of accuracy for 26.68 % of the memory.
PAPER_MAX_DROP = 3.0
PAPER_MIN_SAVING = 0.2668


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a plan must keep.

    A margin is there because a limit that is kept on the selection set can be missed on unseen images by chance.

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

    def __post_init__(self) -> None:
        check_options(self)
        if not 0 <= self.margin <= self.max_drop:
            raise PrimeSVTError(f"margin must be between 0 and max-drop ({self.max_drop}) points, got {self.margin}.")

    def values(self, *, drop: float, saving: float) -> Mapping[str, float]:
        """Optuna's constraint values, by name: at most 0 where the limit is kept.

        Both are in percentage points: Optuna's samplers add them up to say which plan misses the limits less.

        Args:
            drop: Percentage points lost against the unpruned model.
            saving: Fraction of the bytes saved.
        """
        # Rounded, because 3.0000000000000004 points are 3 points.
        return {
            ACCURACY_DROP: round(drop - (self.max_drop - self.margin), 9),
            MEMORY_SAVING: round(100 * (self.min_saving - saving), 9),
        }

    def kept(self, *, drop: float, saving: float) -> bool:
        """Whether all limits are kept."""
        return all(value <= 0 for value in self.values(drop=drop, saving=saving).values())

    def without_margin(self) -> "Constraints":
        """The limits that the user asked for: what the test set is held against."""
        return Constraints(max_drop=self.max_drop, min_saving=self.min_saving)
