"""The one question of a search: how accurate the model is under a plan, and how small."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property, lru_cache, partial
from typing import Any, Self

import numpy as np
from torch import nn

from primesvt.models import (
    Forward,
    ImageSet,
    Predictions,
    PrimeSVTError,
    SharedForward,
    config_of,
    fingerprint,
    model_bytes,
    predict,
    wilson,
)
from primesvt.pruning import Kept, PruningPlan, Scores, kept_bytes, kept_channels, remove, scores_of, version_of

from .rejection import Rejection

# Of activations: a gibibyte, which holds thousands of images of a small model.
DEFAULT_MEMORY = 2**30


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured of one plan.

    Args:
        right: Images whose class was told, of those seen.
        images: Images seen.
        bytes: Bytes of the pruned model.
        memory_saving: Fraction of the unpruned model's bytes that is saved.
        seconds: Time of surgery, reading the images and inference.
        decided_early: Why the evaluation stopped before the last image, as the plan misses the limit of accuracy:
            ``exact`` or ``statistical`` (see :mod:`primesvt.search.rejection`); empty where all images were seen.
        unpruned_right: Of the images seen, those whose class the unpruned model tells; None where all were seen.
        least_drop: Percentage points that the plan loses at least, whatever the images seen look like; None where all
            were seen.
    """

    right: int
    images: int
    bytes: int
    memory_saving: float
    seconds: float
    decided_early: str = ""
    unpruned_right: int | None = None
    least_drop: float | None = None

    @property
    def accuracy(self) -> float:
        """Fraction of the images seen whose class was told."""
        return self.right / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson(self.right, self.images)

    def drop_from(self, baseline: "Evaluation") -> float:
        """Percentage points of accuracy lost against the unpruned model on the same images.

        Where the evaluation was decided early, an estimate from the images seen that never keeps the limit.
        """
        if self.unpruned_right is None or self.least_drop is None:
            return 100 * (baseline.accuracy - self.accuracy)
        return max(100 * (self.unpruned_right - self.right) / self.images, self.least_drop)

    def to_json(self) -> dict[str, Any]:
        """Plain data; :meth:`from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote, also that of earlier versions.

        Raises:
            TypeError: It is none.
        """
        # Earlier versions said False, always.
        return cls(**{**data, "decided_early": data.get("decided_early") or ""})


@dataclass(frozen=True, eq=False)
class Measured:
    """An evaluation, and what it was counted from.

    Args:
        evaluation: What was measured.
        right: Whether the class of each image seen was told, bool ``[n]``, in the order in which they were asked.
    """

    evaluation: Evaluation
    right: np.ndarray


@dataclass(frozen=True)
class Evaluator:
    """Measures plans for one model on one set of images.

    Args:
        model: The unpruned model.
        images: The selection set, or its first images; a search on the test set is refused.
        on_batch: Called after every batch with the number of its images.
        memory: Bytes of activations to keep, so that plans which agree on the first layers need not compute them again.

    Raises:
        PrimeSVTError: The set is the test set, or does not fit the model.
    """

    model: nn.Module
    images: ImageSet
    on_batch: Callable[[int], None] = lambda _: None
    memory: int = DEFAULT_MEMORY

    def __post_init__(self) -> None:
        if self.images.role != "selection":
            raise PrimeSVTError(
                f"Searching on the {self.images.role} set is refused: the plan would be fitted to it, and its accuracy "
                "would mean nothing. Use the selection set."
            )
        self.images.check(self.model.config)  # type: ignore[arg-type]

    def evaluate(self, plan: PruningPlan, rejection: Rejection | None = None) -> Evaluation:
        """Prune, and ask for every image, or until the plan is rejected.

        Raises:
            PrimeSVTError: The plan names a layer or a criterion that does not exist.
        """
        return self.measured(plan, rejection).evaluation

    def measured(self, plan: PruningPlan, rejection: Rejection | None = None) -> Measured:
        """As :meth:`evaluate`, with what it was counted from.

        Raises:
            PrimeSVTError: The plan names a layer or a criterion that does not exist.
        """
        started = time.perf_counter()
        kept = self._kept(plan)
        smaller = remove(self.model, kept, share=True)
        forward = self._shared.of(smaller, version_of(config_of(self.model), kept))
        predictions = ask(smaller, self.images, self.on_batch, rejection=rejection, forward=forward)
        return summary(self.model, kept, predictions, started, rejection)

    def baseline(self) -> Measured:
        """Ask the unpruned model for every image."""
        return self.measured(PruningPlan())

    def key(self, plan: PruningPlan) -> str:
        """Equal for plans that lead to the same model on the same images: their evaluation is the same."""
        digest = hashlib.sha256(self._context.encode())
        for layer, channels in sorted(self._kept(plan).items()):
            digest.update(layer.encode())
            digest.update(channels.numpy().tobytes())
        return digest.hexdigest()[:24]

    def _kept(self, plan: PruningPlan) -> Kept:
        return self._kept_of(plan.criterion, tuple(plan.ratios.items()))

    @cached_property
    def _kept_of(self) -> Callable[[str, tuple[tuple[str, float], ...]], Kept]:
        # Of the last plan only: it is asked for its key first, and measured then.
        return lru_cache(1)(
            lambda criterion, ratios: kept_channels(
                self.model, PruningPlan(dict(ratios), criterion), self._scores(criterion)
            )
        )

    @cached_property
    def _scores(self) -> Callable[[str], Scores]:
        return cache(partial(scores_of, self.model))

    @cached_property
    def _shared(self) -> SharedForward:
        one, _ = self.images.read(config_of(self.model), self.images.indices[:1])
        return SharedForward(self.model, one.shape, self.images.indices, self.memory)

    @cached_property
    def _context(self) -> str:
        return f"{fingerprint(self.model)}/{self.images.fingerprint}"


def measure(
    model: nn.Module, plan: PruningPlan, images: ImageSet, on_batch: Callable[[int], None] = lambda _: None
) -> Evaluation:
    """Measure a plan on any set of images: on the test set once, for the plans that are reported.

    Raises:
        PrimeSVTError: The plan names a layer or a criterion that does not exist, or the images do not fit the model.
    """
    started = time.perf_counter()
    kept = kept_channels(model, plan)
    return summary(model, kept, ask(remove(model, kept), images, on_batch), started).evaluation


def ask(
    version: nn.Module,
    images: ImageSet,
    on_batch: Callable[[int], None],
    *,
    rejection: Rejection | None = None,
    forward: Forward | None = None,
) -> Predictions:
    """What a model answers until it is rejected.

    Args:
        version: The model.
        images: Any set of images.
        on_batch: Called after every batch with the number of its images.
        rejection: When to stop; its order is that in which the images are asked. None asks all in the set's order.
        forward: How to ask it.

    Raises:
        PrimeSVTError: The images do not fit the model.
    """
    if rejection is None:
        return predict(version, images, on_batch=on_batch, forward=forward)
    return predict(
        version,
        replace(images, indices=images.indices[rejection.order]),
        on_batch=on_batch,
        enough=lambda classes, labels: bool(rejection.decide(classes == labels)),
        forward=forward,
    )


def summary(
    model: nn.Module, kept: Kept, predictions: Predictions, started: float, rejection: Rejection | None = None
) -> Measured:
    """The evaluation that answers amount to.

    Args:
        model: The unpruned model.
        kept: The channels that the model which answered has left.
        predictions: Its answers.
        started: When its evaluation began, by :func:`time.perf_counter`.
        rejection: When it would have been stopped.
    """
    right, size = predictions.classes == predictions.labels, kept_bytes(model, kept)
    evaluation = Evaluation(
        right=int(right.sum()),
        images=len(right),
        bytes=size,
        memory_saving=1 - size / model_bytes(model),
        seconds=time.perf_counter() - started,
    )
    if rejection is not None and (reason := rejection.decide(right)):
        evaluation = replace(
            evaluation,
            decided_early=reason,
            unpruned_right=int(rejection.unpruned[: len(right)].sum()),
            least_drop=rejection.least_drop,
        )
    return Measured(evaluation, right)
