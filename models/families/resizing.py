"""How an image of any size is brought to the size that a model reads: a part of the model's configuration.

An accuracy is that of a paper only with the paper's preprocessing. Nearly all codes of this field evaluate with the
transforms of ``torchvision`` and timm, or with those of MAE, which are the same: the shorter side is scaled to the
model's size divided by a *crop fraction*, and the middle is cut out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import PrimeSVTError

INTERPOLATIONS = ("bilinear", "bicubic")
# What is below enlarges an image a hundred times and more, and is no crop of a picture any more.
MIN_CROP_FRACTION = 0.1
# Up to this side images are CIFAR's or smaller, and are taken whole.
_SMALL = 64
Size = tuple[int, int]


@dataclass(frozen=True)
class Resizing:
    """How images are resized.

    Args:
        crop_fraction: Side of the model's image by the side to which an image is scaled. None is the way of version
            0.1: straight to the size, and the longer side is rounded instead of cut off.
        interpolation: ``bilinear`` or ``bicubic``, as Pillow computes it: smoothed where an image shrinks.

    Raises:
        PrimeSVTError: The crop fraction is not from 0.1 to 1, or the interpolation is another.
    """

    crop_fraction: float | None = None
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        fraction = self.crop_fraction
        if fraction is not None and not MIN_CROP_FRACTION <= fraction <= 1:
            raise PrimeSVTError(f"crop_fraction must be between {MIN_CROP_FRACTION} and 1, got {fraction}.")
        if self.interpolation not in INTERPOLATIONS:
            raise PrimeSVTError(
                f"interpolation must be {' or '.join(INTERPOLATIONS)}, got {str(self.interpolation)[:60]!r}."
            )
        if fraction is None and self.interpolation != "bilinear":
            raise PrimeSVTError(f"With interpolation {self.interpolation}, a crop_fraction must be said, such as 1.")

    def scaled(self, image: Size, frame: Size) -> Size:
        """Height and width to which an image is scaled before the middle is cut out.

        Args:
            image: Its height and width.
            frame: Those that the model reads.
        """
        height, width = image
        if self.crop_fraction is None:
            scale = max(frame[0] / height, frame[1] / width)
            return max(frame[0], round(height * scale)), max(frame[1], round(width * scale))
        first, second = (math.floor(side / self.crop_fraction) for side in frame)
        if first == second:
            # torchvision.transforms.Resize of one number.
            longer = int(first * max(image) / min(image))
            return (longer, first) if height > width else (first, longer)
        # timm.data.transforms.ResizeKeepRatio, which timm takes where height and width differ.
        ratio = min(height / first, width / second)
        return round(height / ratio), round(width / ratio)

    def told(self, frame: Size) -> str:
        """The rule for images of a size that a model reads, for a person who writes it anew."""
        height, width = frame if self.crop_fraction is None else self.scaled(frame, frame)
        return (
            f"scale the image, its aspect kept, to just cover {height}x{width} ({self.interpolation}, smoothed); "
            f"cut {frame[0]}x{frame[1]} out of the middle"
        )


# From the side of a model's images, how a code evaluates.
Rule = Callable[[int], Resizing]


def timm_rule(crop_fraction: float) -> Rule:
    """Small images whole, others by a crop fraction; bicubic."""
    return lambda side: Resizing(1.0 if side <= _SMALL else crop_fraction, "bicubic")


timm_default = timm_rule(0.875)


def mae_rule(side: int) -> Resizing:
    """``util/datasets.py`` of MAE, which Meta-SpikeFormer and QKFormer took: 224/256 up to 224 pixels, then all."""
    return Resizing(0.875 if _SMALL < side <= 224 else 1.0, "bicubic")
