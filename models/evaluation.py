"""How accurate a model is, and how sure that is.

Wilson's score interval: E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, Journal
of the American Statistical Association 22, 1927.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm
from torch import nn

from .data import ImageSet
from .errors import PrimeSVTError
from .family import config_of

# Activations of a batch then stay near the caches; larger batches measured slower on the CPU.
BATCH_SIZE = 64


@dataclass(frozen=True)
class Predictions:
    """What a model answered on a set of images.

    Args:
        classes: Predicted class of every image, int64 ``[N]``.
        labels: True class of every image, int64 ``[N]``.
        seconds: Time in the model, without reading the images.
    """

    classes: np.ndarray
    labels: np.ndarray
    seconds: float

    @property
    def right(self) -> int:
        """Number of images whose class was told."""
        return int((self.classes == self.labels).sum())

    @property
    def accuracy(self) -> float:
        """Fraction of images whose class was told, in [0, 1]."""
        return self.right / len(self.labels)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson(self.right, len(self.labels))


def predict(
    model: nn.Module,
    images: ImageSet,
    *,
    batch_size: int = BATCH_SIZE,
    on_batch: Callable[[int], None] = lambda _: None,
    enough: Callable[[np.ndarray, np.ndarray], bool] | None = None,
) -> Predictions:
    """Ask a model for the classes of a set of images, in the order of the set.

    Args:
        model: Any model of PrimeSVT; it answers in evaluation mode, and is left in the mode it was in.
        images: The images.
        batch_size: Images at a time.
        on_batch: Called after every batch with the number of its images.
        enough: Called after every batch with the classes predicted and the labels so far; where it is true, no more
            images are asked, and the answer holds only those.

    Raises:
        PrimeSVTError: The images do not fit the model.
    """
    config = config_of(model)
    images.check(config)
    answers, labels, seconds = [], [], 0.0
    dtype = next(model.parameters()).dtype
    with evaluation_mode(model), torch.inference_mode():
        for batch, truth in images.batches(config, batch_size):
            started = time.perf_counter()
            answers.append(model(batch.to(dtype)).argmax(1))
            seconds += time.perf_counter() - started
            labels.append(truth)
            on_batch(len(truth))
            if enough is not None and enough(torch.cat(answers).numpy(), torch.cat(labels).numpy()):
                break
    return Predictions(torch.cat(answers).numpy(), torch.cat(labels).numpy(), seconds)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Keep a model in evaluation mode, in which its BatchNorm statistics stay as they are."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def wilson(right: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a proportion of ``right`` in ``count``.

    Raises:
        PrimeSVTError: Nothing was counted, or more was right than was counted.
    """
    if not 0 <= right <= count or count < 1 or not 0 < confidence < 1:
        raise PrimeSVTError(
            f"No {confidence:.0%} interval of {right} in {count}: count at least one, and no more right."
        )
    z = float(norm.ppf(0.5 + confidence / 2))
    middle = (right + z * z / 2) / (count + z * z)
    half = z / (count + z * z) * (right * (count - right) / count + z * z / 4) ** 0.5
    # Rounding must not move the ends that are exact.
    return (max(0.0, middle - half) if right > 0 else 0.0, min(1.0, middle + half) if right < count else 1.0)
