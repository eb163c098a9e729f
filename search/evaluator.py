"""The one question of a search: how accurate the model is under a plan, and how small."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from torch import nn

from primesvt.models import ImageSet, PrimeSVTError, fingerprint, model_bytes, predict, wilson
from primesvt.pruning import PruningPlan, kept_bytes, kept_channels, remove

from .rejection import Rejection


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

    Raises:
        PrimeSVTError: The set is the test set, or does not fit the model.
    """

    model: nn.Module
    images: ImageSet
    on_batch: Callable[[int], None] = lambda _: None

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
        return ask(self.model, plan, self.images, self.on_batch, rejection).evaluation

    def baseline(self) -> Measured:
        """Ask the unpruned model for every image."""
        return ask(self.model, PruningPlan(), self.images, self.on_batch)

    def key(self, plan: PruningPlan) -> str:
        """Equal for plans that lead to the same model on the same images: their evaluation is the same."""
        digest = hashlib.sha256(self._context.encode())
        for layer, channels in sorted(kept_channels(self.model, plan).items()):
            digest.update(layer.encode())
            digest.update(channels.numpy().tobytes())
        return digest.hexdigest()[:24]

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
    return ask(model, plan, images, on_batch).evaluation


def ask(
    model: nn.Module,
    plan: PruningPlan,
    images: ImageSet,
    on_batch: Callable[[int], None] = lambda _: None,
    rejection: Rejection | None = None,
) -> Measured:
    """Measure a plan, and tell which images it gets right.

    Args:
        model: The unpruned model.
        plan: What is removed from it.
        images: Any set of images.
        on_batch: Called after every batch with the number of its images.
        rejection: When to stop; its order is that in which the images are asked. None asks all in the set's order.

    Raises:
        PrimeSVTError: The plan names a layer or a criterion that does not exist, or the images do not fit the model.
    """
    started = time.perf_counter()
    kept = kept_channels(model, plan)
    smaller = remove(model, kept)
    if rejection is None:
        predictions = predict(smaller, images, on_batch=on_batch)
    else:
        predictions = predict(
            smaller,
            replace(images, indices=images.indices[rejection.order]),
            on_batch=on_batch,
            enough=lambda classes, labels: bool(rejection.decide(classes == labels)),
        )
    right = predictions.classes == predictions.labels
    size = kept_bytes(model, kept)
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
