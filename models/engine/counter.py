"""Counting the work of a model on real images, while the engine answers, which knows its spikes anyway."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from .program import Program, Seen
from .synapses import Reading, synapses_of
from .work import LayerWork, Work


class Counter:
    """Counts the work of one model.

    Args:
        program: Its forward pass.
        model: The model, or a pruned version of the one that the program was made from.
    """

    def __init__(self, program: Program, model: nn.Module) -> None:
        self._synapses, self._unknown = synapses_of(program.graph, dict(model.named_modules()))
        # What several layers read alike is counted once, before the first of them.
        steps = {node: number for number, step in enumerate(program.steps) for node in step.nodes}
        first: dict[Reading, int] = {}
        for one in self._synapses:
            first[one.reading] = min(steps[one.node], first.get(one.reading, len(steps)))
        self._readings = tuple(tuple(r for r, at in first.items() if at == n) for n in range(len(program.steps)))
        # Of every reading, how many images were asked in turn, and their sums, float64 `[3, T]`.
        self._counted: dict[Reading, list[tuple[int, np.ndarray]]] = {r: [] for r in first}
        self._lock = threading.Lock()

    def readings(self, number: int) -> tuple[Reading, ...]:
        """What is to be counted before a step."""
        return self._readings[number]

    def add(self, reading: Reading, counted: np.ndarray) -> None:
        """Add what was counted of some images, float64 ``[3, T, N]``."""
        with self._lock:
            self._counted[reading].append((counted.shape[2], counted.sum(-1)))

    def before(self, images: int) -> Callable[[int, Seen], None]:
        """What an engine that answers so many images calls before every step."""

        def count(number: int, values: Seen) -> None:
            for reading in self._readings[number]:
                self.add(reading, reading.count(values, images))

        return count

    def work(self, images: int | None = None) -> Work:
        """The mean work for one image.

        Args:
            images: Of the first so many images that were asked, a number of whole batches. None is all.
        """
        totals = {reading: _total(counted, images) for reading, counted in self._counted.items()}
        return Work(max((seen for seen, _ in totals.values()), default=0), tuple(self._layers(totals)), self._unknown)

    def _layers(self, totals: Mapping[Reading, tuple[int, np.ndarray]]) -> Iterator[LayerWork]:
        for one in self._synapses:
            images, (uses, spikes, neurons) = totals[one.reading]
            # Whole numbers until here, which float64 holds exactly.
            done = one.row * uses / images
            yield LayerWork(
                layer=one.layer,
                synops=tuple(float(step) for step in done) if one.spiking else (),
                macs=0.0 if one.spiking else float(done.sum()),
                spikes=float(spikes.sum()) / images,
                neurons=round(float(neurons.sum()) / images),
            )


def _total(counted: Iterable[tuple[int, np.ndarray]], most: int | None) -> tuple[int, np.ndarray]:
    seen, total = 0, np.zeros((3, 1))
    for images, sums in counted:
        if most is not None and seen >= most:
            break
        seen, total = seen + images, total + sums
    return seen, total


class CountCache:
    """What was counted of images that an :class:`~primesvt.models.engine.activation_cache.ActivationCache` keeps.

    It takes a few bytes of an image, so nothing is ever given up.

    Args:
        indices: Of the images in their source, int64 ``[N]``.
    """

    def __init__(self, indices: np.ndarray) -> None:
        self._place = np.full(int(indices.max()) + 1, -1, np.int64)
        self._place[indices] = np.arange(len(indices))
        self._images = len(indices)
        self._kept: dict[Any, np.ndarray] = {}
        self._lock = threading.Lock()

    def keep(self, key: Any, indices: np.ndarray, counted: np.ndarray) -> None:
        """Keep what was counted of some images, float64 ``[3, T, n]``."""
        with self._lock:
            kept = self._kept.setdefault(key, np.zeros((*counted.shape[:2], self._images)))
            kept[:, :, self._place[indices]] = counted

    def recall(self, key: Any, indices: np.ndarray) -> np.ndarray:
        """What was kept of some images, float64 ``[3, T, n]``."""
        with self._lock:
            return self._kept[key][:, :, self._place[indices]]
