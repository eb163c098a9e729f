"""How many images a model tells right, and how sure that is.

Wilson's score interval: E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, Journal
of the American Statistical Association 22, 1927.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from .errors import PrimeSVTError


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """What a model was counted to tell right, of the images that it saw.

    Args:
        right: Images whose class was told.
        images: Images seen.
    """

    right: int
    images: int

    @property
    def accuracy(self) -> float:
        """Fraction of the images whose class was told, in [0, 1]."""
        return self.right / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson(self.right, self.images)

    def told(self) -> dict[str, Any]:
        """Accuracy, number of images and interval, as plain data: what is said of every accuracy."""
        return {"accuracy": self.accuracy, "images": self.images, "interval": list(self.interval)}


def wilson(right: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a proportion of ``right`` in ``count``.

    Raises:
        PrimeSVTError: Nothing was counted, or more was right than was counted.
    """
    if not 0 <= right <= count or count < 1 or not 0 < confidence < 1:
        raise PrimeSVTError(
            f"No {confidence:.0%} interval of {right} in {count}: count at least one, and no more right."
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = (right + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * (right * (count - right) / count + z * z / 4) ** 0.5
    # Rounding must not move the ends that are exact.
    return (max(0.0, middle - half) if right > 0 else 0.0, min(1.0, middle + half) if right < count else 1.0)
