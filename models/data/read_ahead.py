"""Reading image files in threads, ahead of the model.

Decoding and resizing take longer than a small model does. Pillow does both without holding Python's lock, so threads
share the work as processes would (measured by ``benchmarks/data.py``), and what they have read need not be copied
between processes.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import torch

from ..families.config import ModelConfig
from ..families.resizing import Resizing

# Images of one task: few enough that all threads have work, and enough that handing it over costs nothing.
_TASK = 4
# What is read ahead: at most so many batches, and so many bytes, but at least one batch.
_AHEAD, _AHEAD_BYTES = 2, 2**28
_MOST_THREADS = 32


@runtime_checkable
class DecodedSource(Protocol):
    """A source of images of any size, which are decoded and brought to the frame when they are read."""

    @property
    def frame(self) -> tuple[int, int, int]:
        """Channels, height and width they are brought to."""

    def decode(self, indices: np.ndarray, resizing: Resizing, pixels: np.ndarray) -> None:
        """Write images in [0, 1] into an array, float32 ``[N, C, H, W]``; called by several threads at once."""


class ReadAhead:
    """Reads batches of images for a model, in threads, and begins with the next ones meanwhile.

    Which thread decodes an image makes no difference to it. An error is raised when the batch is asked for that it
    belongs to. As a context, it ends its threads; what was begun and not asked for is dropped.

    Args:
        source: Where the images come from.
        config: Of the model, which says how they are resized and normalised.
        parts: Batches that will probably be read, in this order; others may be, too.
        threads: How many; one per core that this process may use where it is None.
    """

    def __init__(
        self,
        source: DecodedSource,
        config: ModelConfig,
        parts: Sequence[np.ndarray],
        threads: int | None = None,
    ) -> None:
        self._source, self._resizing, self._parts = source, config.resizing, parts
        shape = (config.in_channels, 1, 1)
        self._mean = np.asarray(config.mean, np.float32).reshape(shape)
        self._std = np.asarray(config.std, np.float32).reshape(shape)
        self._positions = {part.tobytes(): i for i, part in enumerate(parts)}
        self._begun: dict[int, tuple[np.ndarray, list[Future[None]]]] = {}
        self._pool = ThreadPoolExecutor(threads or cores(), thread_name_prefix="read")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Images ``[N, C, H, W]``, normalised.

        Raises:
            PrimeSVTError: One of the files is damaged.
        """
        position = self._positions.get(indices.tobytes())
        if position is None:
            pixels, tasks = self._begin(indices)
        else:
            begun = position in self._begun
            pixels, tasks = self._begun.pop(position) if begun else self._begin(indices)
            self._look_ahead(position + 1, pixels.nbytes)
        for task in tasks:
            task.result()
        return torch.from_numpy(pixels)

    def _look_ahead(self, start: int, batch_bytes: int) -> None:
        """Begin with the next batches, and drop those that were passed over."""
        wanted = range(start, min(start + max(1, min(_AHEAD, _AHEAD_BYTES // batch_bytes)), len(self._parts)))
        for passed in self._begun.keys() - set(wanted):
            for task in self._begun.pop(passed)[1]:
                task.cancel()
        for position in wanted:
            if position not in self._begun:
                self._begun[position] = self._begin(self._parts[position])

    def _begin(self, indices: np.ndarray) -> tuple[np.ndarray, list[Future[None]]]:
        pixels = np.empty((len(indices), *self._source.frame), np.float32)
        parts = [slice(start, start + _TASK) for start in range(0, len(indices), _TASK)]
        return pixels, [self._pool.submit(self._prepare, indices[part], pixels[part]) for part in parts]

    def _prepare(self, indices: np.ndarray, pixels: np.ndarray) -> None:
        self._source.decode(indices, self._resizing, pixels)
        # As PyTorch would, bit for bit, but in the thread that has the pixels in its cache.
        pixels -= self._mean
        pixels /= self._std


def cores() -> int:
    """Cores that this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, available)
