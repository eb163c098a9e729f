"""Measuring reported plans on the test set: once each, against the unpruned model on the same images.

The drop of accuracy is a paired difference: both models see the same images, so only those that one of them tells right
and the other wrong count. Its interval is that of A. Agresti and Y. Min (Statistics in Medicine 24, 2005): Wald's
interval of matched pairs after half an image was added to each of the four cells, so that few images give no false
certainty.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import optuna
from scipy.special import ndtri
from torch import nn

from primesvt.models import Accuracy, Backend, ImageSet, Predictions, predict
from primesvt.pruning import Calibration, Pruner, PruningPlan

# Attribute of a study: what its plans did on the test set, by the key of the plan.
TEST = "test"


@dataclass(frozen=True, kw_only=True)
class PairedAccuracy(Accuracy):
    """What a model answers on the test set, compared with the unpruned model.

    Args:
        lost: Images that the unpruned model tells and this one does not.
        gained: Images that this one tells and the unpruned one does not.
    """

    lost: int
    gained: int

    @classmethod
    def compare(cls, predictions: Predictions, unpruned: Predictions) -> Self:
        """Compare answers of two models on the same images."""
        ours, theirs = predictions.classes == predictions.labels, unpruned.classes == unpruned.labels
        return cls(
            right=int(ours.sum()),
            images=len(ours),
            lost=int(np.sum(theirs & ~ours)),
            gained=int(np.sum(ours & ~theirs)),
        )

    @property
    def drop(self) -> float:
        """Percentage points of accuracy lost against the unpruned model."""
        return 100 * (self.lost - self.gained) / self.images

    @property
    def drop_interval(self) -> tuple[float, float]:
        """The 95 % interval of the drop, in percentage points."""
        images, difference = self.images + 2, self.lost - self.gained
        variance = self.lost + self.gained + 1 - difference**2 / images
        middle, half = 100 * difference / images, 100 * float(ndtri(0.975)) * math.sqrt(variance) / images
        return middle - half, middle + half

    def to_json(self) -> dict[str, Any]:
        """Plain data: what was counted, and what follows from it."""
        return {**self.told(), "drop": self.drop, "drop_interval": list(self.drop_interval)}


@dataclass(frozen=True)
class TestSet:
    """Measures plans of one model on the test set, and remembers in the study what it has seen.

    Args:
        model: The unpruned model.
        images: The test set.
        unpruned: What the unpruned model answers on it.
        on_batch: Called after every batch with the number of its images.
        calibration: For criteria and repair steps that look at data; None where no plan names one.
        backend: Where plans are measured and repaired, and in which precision they are asked.
    """

    # The name begins with Test, but it holds no tests for pytest.
    __test__ = False

    model: nn.Module
    images: ImageSet
    unpruned: Predictions
    on_batch: Callable[[int], None] = lambda _: None
    calibration: Calibration | None = None
    backend: Backend = field(default_factory=Backend)

    @cached_property
    def pruner(self) -> Pruner:
        """The way from plans to models."""
        return Pruner(self.model, self.calibration, self.backend)

    @classmethod
    def open(
        cls,
        model: nn.Module,
        images: ImageSet,
        on_batch: Callable[[int], None] = lambda _: None,
        calibration: Calibration | None = None,
        backend: Backend | None = None,
    ) -> Self:
        """Ask the unpruned model for every test image.

        Raises:
            PrimeSVTError: The images do not fit the model.
        """
        backend = backend or Backend()
        unpruned = predict(model, images, on_batch=on_batch, backend=backend)
        return cls(model, images, unpruned, on_batch, calibration, backend)

    @property
    def baseline(self) -> PairedAccuracy:
        """The unpruned model."""
        return PairedAccuracy.compare(self.unpruned, self.unpruned)

    def measure(self, plan: PruningPlan) -> PairedAccuracy:
        """Prune, and ask for every test image."""
        return self.compare(self.pruner.version(plan).model)

    def compare(self, model: nn.Module) -> PairedAccuracy:
        """Ask any model for every test image."""
        answers = predict(model, self.images, on_batch=self.on_batch, backend=self.backend)
        return PairedAccuracy.compare(answers, self.unpruned)

    def recall(self, study: optuna.Study, plan: PruningPlan) -> PairedAccuracy:
        """What a plan does: as the study remembers it, or else measured, and remembered from now on.

        Args:
            study: It keeps what its plans did.
            plan: The plan.
        """
        known = self.remembered(study)
        key = self.pruner.key(plan, self.images.fingerprint)
        if key not in known:
            known = {**known, key: self.measure(plan)}
            self.remember(study, known)
        return known[key]

    def remembered(self, study: optuna.Study) -> Mapping[str, PairedAccuracy]:
        """What the study's plans did on these images before, by key."""
        stored = study.user_attrs.get(TEST, {})
        if stored.get("images") != self.images.fingerprint:
            return {}
        return {key: PairedAccuracy(**counts) for key, counts in stored["plans"].items()}

    def remember(self, study: optuna.Study, measurements: Mapping[str, PairedAccuracy]) -> None:
        """Keep them in the study, so that a comparison that is run again does not look twice."""
        plans = {key: asdict(measurement) for key, measurement in measurements.items()}
        study.set_user_attr(TEST, {"images": self.images.fingerprint, "plans": plans})
