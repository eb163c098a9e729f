"""The one question of a search: how accurate the model is under a plan, and how small."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

from torch import nn

from primesvt.models import ImageSet, PrimeSVTError, fingerprint, model_bytes, predict, wilson
from primesvt.pruning import PruningPlan, kept_bytes, kept_channels, remove


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured of one plan.

    Args:
        right: Images whose class was told.
        images: Images seen.
        bytes: Bytes of the pruned model.
        memory_saving: Fraction of the unpruned model's bytes that is saved.
        seconds: Time of surgery, reading the images and inference.
        decided_early: Whether the evaluation stopped before the last image.
    """

    right: int
    images: int
    bytes: int
    memory_saving: float
    seconds: float
    decided_early: bool = False

    @property
    def accuracy(self) -> float:
        """Fraction of the images whose class was told."""
        return self.right / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson(self.right, self.images)

    def drop_from(self, baseline: "Evaluation") -> float:
        """Percentage points of accuracy lost against the unpruned model on the same images."""
        return 100 * (baseline.accuracy - self.accuracy)

    def to_json(self) -> dict[str, Any]:
        """Plain data; :meth:`from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(**data)


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

    def evaluate(self, plan: PruningPlan) -> Evaluation:
        """Prune, and ask for every image.

        Raises:
            PrimeSVTError: The plan names a layer or a criterion that does not exist.
        """
        return measure(self.model, plan, self.images, self.on_batch)

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
    started = time.perf_counter()
    kept = kept_channels(model, plan)
    predictions = predict(remove(model, kept), images, on_batch=on_batch)
    size = kept_bytes(model, kept)
    return Evaluation(
        right=predictions.right,
        images=len(predictions.labels),
        bytes=size,
        memory_saving=1 - size / model_bytes(model),
        seconds=time.perf_counter() - started,
    )
