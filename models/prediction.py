"""What a model answers on a set of images."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .accuracy import Accuracy
from .data.data_set import ImageSet
from .engine import Forward, Work, counted_forward
from .engine.backend import Backend
from .engine.left_out import LeftOut
from .families.config import ModelConfig
from .families.registry import config_of

# Measured on two cores: from 64 small images on, larger batches are no faster; of large images, a few are enough, and
# more only take memory.
BATCH_SIZE = 64
_FEWEST, _PIXELS = 8, 2**22
_ENGINE = Backend()


@dataclass(frozen=True)
class Predictions:
    """What a model answered on a set of images.

    Args:
        classes: Predicted class of every image, int64 ``[N]``.
        labels: True class of every image, int64 ``[N]``.
        logits: Of every image, float32 ``[N, classes]``.
        seconds: Time in the model, without reading the images.
        reason: Why PyTorch answered and not the engine; None where the engine did.
        left_out: What PyTorch computed where the engine answered.
    """

    classes: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    seconds: float
    reason: str | None = None
    left_out: tuple[LeftOut, ...] = ()

    @property
    def counted(self) -> Accuracy:
        """How many images were told right."""
        return Accuracy(right=int((self.classes == self.labels).sum()), images=len(self.labels))

    @property
    def right(self) -> int:
        """Number of images whose class was told."""
        return self.counted.right

    @property
    def accuracy(self) -> float:
        """Fraction of images whose class was told, in [0, 1]."""
        return self.counted.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return self.counted.interval


def predict(
    model: nn.Module,
    images: ImageSet,
    *,
    batch_size: int | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
    enough: Callable[[np.ndarray, np.ndarray], bool] | None = None,
    forward: Forward | None = None,
    backend: Backend = _ENGINE,
) -> Predictions:
    """Ask a model for the classes of a set of images, in its order.

    Args:
        model: Any model of PrimeSVT; it answers in evaluation mode, and is left in the mode it was in.
        images: The images.
        batch_size: Images at a time; as :func:`batch_size_of` says where it is None.
        on_batch: Called after every batch with the number of its images.
        enough: Called after every batch with the classes predicted and the labels so far; where it is true, no more
            images are asked, and the answer holds only those.
        forward: How to ask the model; the fastest way that the backend has is chosen where it is None.
        backend: Where and in which precision the model is asked.

    Raises:
        PrimeSVTError: The images do not fit the model.
    """
    config = config_of(model)
    images.check(config)
    batch_size = batch_size_of(config) if batch_size is None else batch_size
    answers: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    parts = [images.indices[start : start + batch_size] for start in range(0, len(images), batch_size)]
    seconds = 0.0
    with images.reader(config, parts) as read, evaluation_mode(model), torch.inference_mode():
        reader = _Reader(read, next(model.parameters()).dtype)
        forward = forward or backend.forward(model, reader.read(images.indices[:1]).shape)
        for indices in parts:
            started, read_before = time.perf_counter(), reader.seconds
            answers.append(forward.answer(indices, reader.read).float())
            seconds += time.perf_counter() - started - (reader.seconds - read_before)
            labels.append(images.truth(config, indices))
            on_batch(len(indices))
            if enough is not None and enough(torch.cat(answers).argmax(1).numpy(), torch.cat(labels).numpy()):
                break
    logits = torch.cat(answers)
    return Predictions(
        logits.argmax(1).numpy(),
        torch.cat(labels).numpy(),
        logits.numpy(),
        seconds,
        forward.reason,
        forward.left_out,
    )


def count_work(
    model: nn.Module,
    images: ImageSet,
    *,
    batch_size: int | None = None,
    on_batch: Callable[[int], None] = lambda _: None,
) -> tuple[Predictions, Work]:
    """What a model answers on a set of images, and the work that it did for one of them on average.

    Args:
        model: Any model of PrimeSVT on the CPU in float32.
        images: The images.
        batch_size: As of :func:`predict`.
        on_batch: As of :func:`predict`.

    Raises:
        PrimeSVTError: There are no images, they do not fit the model, or its spikes cannot be counted.
    """
    images.check(config_of(model))
    with evaluation_mode(model):
        forward = counted_forward(model, images.read(config_of(model), images.indices[:1])[0].shape)
    answers = predict(model, images, batch_size=batch_size, on_batch=on_batch, forward=forward)
    return answers, forward.counter.work()


@dataclass
class _Reader:
    """Reads images for a model, and knows how long that took: it is no time of the model."""

    images: Callable[[np.ndarray], tuple[torch.Tensor, torch.Tensor]]
    dtype: torch.dtype
    seconds: float = 0.0

    def read(self, indices: np.ndarray) -> torch.Tensor:
        started = time.perf_counter()
        batch = self.images(indices)[0].to(self.dtype)
        self.seconds += time.perf_counter() - started
        return batch


def batch_size_of(config: ModelConfig) -> int:
    """How many images at a time a model is asked best on a CPU."""
    height, width = config.image_size
    return max(_FEWEST, min(BATCH_SIZE, _PIXELS // (config.time_steps * height * width)))


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Keep a model in evaluation mode, in which its BatchNorm statistics stay as they are."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
