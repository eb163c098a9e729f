"""What was measured of one plan: data that a trial keeps."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import torch

from primesvt.models import Accuracy, wilson
from primesvt.pruning.repair import divergence

# No storage knows infinity.
MAX_DIVERGENCE = 1e6


@dataclass(frozen=True, kw_only=True)
class Evaluation(Accuracy):
    """What was measured of one plan, on the images seen.

    Args:
        bytes: Bytes of the pruned model.
        memory_saving: Fraction of the unpruned model's bytes that is saved.
        seconds: Time of surgery, repair, reading the images and inference.
        decided_early: Why the evaluation stopped before the last image, as the plan misses the limit of accuracy:
            ``exact`` or ``statistical`` (see :mod:`primesvt.search.rejection`); empty where all images were seen.
        estimate: What accuracy the images seen let expect of all, a fraction; None where all were seen.
        unpruned_right: Of the images seen, those whose class the unpruned model tells, as earlier versions wrote it in
            place of an estimate.
        least_drop: Percentage points that the plan loses at least, whatever the images seen look like; None where all
            were seen.
        divergence: How far the answers are from the unpruned model's on the images seen, see
            :func:`finite_divergence`; None where an earlier version measured it.
        measures: Further numbers of the pruned model by name, see :mod:`primesvt.pruning.measures`.
    """

    bytes: int
    memory_saving: float
    seconds: float
    decided_early: str = ""
    estimate: float | None = None
    unpruned_right: int | None = None
    least_drop: float | None = None
    divergence: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """Fraction of the images whose class was told, in [0, 1]; the estimate where they were not all seen."""
        return super().accuracy if self.estimate is None else self.estimate

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, of as many images as were seen."""
        return wilson(round(self.accuracy * self.images), self.images)

    def drop_from(self, baseline: "Evaluation") -> float:
        """Percentage points of accuracy lost against the unpruned model on the same images.

        Where the evaluation was decided early, an estimate from the images seen that never keeps the limit.
        """
        drop = 100 * (baseline.accuracy - self.accuracy)
        if self.unpruned_right is not None:
            drop = 100 * (self.unpruned_right - self.right) / self.images
        return drop if self.least_drop is None else max(drop, self.least_drop)

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
class Counted:
    """An evaluation, and what it was counted from.

    Args:
        evaluation: What was measured.
        right: Whether the class of each image seen was told, bool ``[n]``, in the order in which they were asked.
    """

    evaluation: Evaluation
    right: np.ndarray


def finite_divergence(unpruned: np.ndarray, pruned: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The divergence of a pruned model's answers from the unpruned model's, in nats, as a number that a storage takes.

    It is :func:`~primesvt.pruning.repair.divergence`, the error that repair makes small, too. Smooth where accuracy is
    coarse: it tells two plans apart that lose the same images. Where an answer is no number it is
    :data:`MAX_DIVERGENCE`, and never above that.

    Args:
        unpruned: Logits ``[N, classes]`` of the unpruned model.
        pruned: Logits ``[N, classes]`` of the pruned model on the same images.
        weights: What each image counts, float64 ``[N]``; None is all alike.
    """
    counts = None if weights is None else torch.from_numpy(weights)
    mean = divergence(torch.from_numpy(unpruned), torch.from_numpy(pruned), counts)
    return min(max(mean, 0.0), MAX_DIVERGENCE) if math.isfinite(mean) else MAX_DIVERGENCE
