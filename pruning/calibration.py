"""The calibration images: what criteria that look at data and repair steps may see, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from primesvt.models import ImageSet, ModelConfig, PrimeSVTError, batch_size_of

DEFAULT_CALIBRATION = 512


@dataclass(frozen=True)
class Calibration:
    """The first images of the calibration set, whose labels are not needed.

    Args:
        images: The calibration set of a data set; any other is refused.
        count: How many of them, at most.

    Raises:
        PrimeSVTError: The set plays another role, or ``count`` is below 1.
    """

    images: ImageSet
    count: int = DEFAULT_CALIBRATION

    def __post_init__(self) -> None:
        if self.images.role != "calibration":
            raise PrimeSVTError(
                f"Calibrating on the {self.images.role} set is refused: a plan that was fitted to it would seem more "
                "accurate than it is. Use the calibration set."
            )
        object.__setattr__(self, "images", self.images.first(self.count))

    @property
    def fingerprint(self) -> str:
        """A hash of the images: equal ones, equal repairs."""
        return self.images.fingerprint

    def batches(self, config: ModelConfig) -> Iterator[torch.Tensor]:
        """Images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``, normalised for a model, in their order.

        Raises:
            PrimeSVTError: They do not fit the model.
        """
        self.images.check(config)
        for images, _ in self.images.batches(config, batch_size_of(config)):
            yield images
