"""The images that a repair, or a criterion that looks at data, may see: the first ones of the calibration set.

Nothing else looks at that set, so whatever is fitted to it is still judged on images that it never saw.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from primesvt.models import ImageSet, ModelConfig, PrimeSVTError

DEFAULT_CALIBRATION = 512
MOST_CALIBRATION = 1024


@dataclass(frozen=True)
class Calibration:
    """Some images; a repair never sees their labels.

    Args:
        images: The calibration set of the data; of a smaller set than ``count``, all images are used.
        count: How many of its images, from the first one on: at most 1,024.

    Raises:
        PrimeSVTError: The set plays another role, is empty, or the count is out of range.
    """

    images: ImageSet
    count: int = DEFAULT_CALIBRATION

    def __post_init__(self) -> None:
        if self.images.role != "calibration":
            raise PrimeSVTError(
                f"Repair looks at the calibration set alone, got the {self.images.role} set: what is fitted to images "
                "says nothing about them afterwards. Pass DataSet.calibration."
            )
        if not 1 <= self.count <= MOST_CALIBRATION:
            raise PrimeSVTError(
                f"The number of calibration images must be 1 to {MOST_CALIBRATION:,}, got {self.count}."
            )
        if not len(self.images):
            raise PrimeSVTError(
                f"The calibration set is empty: {self.images.lacking or 'the data has too few images'}."
            )

    def __len__(self) -> int:
        return min(self.count, len(self.images))

    @property
    def fingerprint(self) -> str:
        """A hash of the images: equal images, equal repairs."""
        return self.images.first(self.count).fingerprint

    def first(self, limit: int) -> "Calibration":
        """The same with at most ``limit`` images."""
        return Calibration(self.images, min(limit, self.count))

    def batches(self, config: ModelConfig, size: int) -> Iterator[torch.Tensor]:
        """The images in their order, normalised for the model: ``[n, C, H, W]`` or ``[T, n, C, H, W]``.

        Raises:
            PrimeSVTError: The model cannot read them.
        """
        for batch, _labels in self.labelled(config, size):
            yield batch

    def labelled(self, config: ModelConfig, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The same as :meth:`batches`, with the labels ``[n]`` in the order of the model's logits.

        Raises:
            PrimeSVTError: The model cannot read the images.
        """
        images = self.images.first(self.count)
        images.check(config)
        yield from images.batches(config, size)

    def read(self, config: ModelConfig) -> torch.Tensor:
        """All of the images at once: ``[N, C, H, W]`` or ``[T, N, C, H, W]``.

        Raises:
            PrimeSVTError: The model cannot read them.
        """
        (images,) = self.batches(config, len(self))
        return images
