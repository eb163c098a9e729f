"""The one question of a search: how accurate the model is under a plan, and how small."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from torch import nn

from primesvt.models import (
    Backend,
    Counter,
    DeviceForward,
    Forward,
    ImageSet,
    Predictions,
    PrimeSVTError,
    SharedForward,
    Work,
    batch_size_of,
    config_of,
    predict,
)
from primesvt.pruning import Calibration, Measure, Pruner, PruningPlan, Version

from .evaluation import Counted, Evaluation, finite_divergence
from .rejection import Rejection

# Of activations: a gibibyte, which holds thousands of images of a small model.
DEFAULT_CACHE = 2**30


class Forwards(Protocol):
    """How the versions of a model are asked."""

    def of(self, version: nn.Module, version_of: Callable[[str], bytes]) -> Forward:
        """The forward pass of a version; the digests tell where its weights are those of versions before."""

    def counted(self, version: nn.Module, version_of: Callable[[str], bytes]) -> tuple[Forward, Counter]:
        """The same, with what counts its work."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a version answered, and what that took.

    Args:
        predictions: Its answers.
        work: What it did for an image on average, of those drawn at random where it was rejected early; None where no
            measure asks for it.
    """

    predictions: Predictions
    work: Work | None


@dataclass(frozen=True)
class Evaluator:
    """Measures plans for one model on one set of images.

    Args:
        model: The unpruned model.
        images: The selection set, or its first images; a search on the test set is refused.
        on_batch: Called after every batch with the number of its images.
        cache: Bytes of activations to keep, so that plans which agree on the first layers need not compute them again.
        calibration: For criteria and repair steps that look at data; None where no plan names one.
        measures: Further numbers to take of every plan's model.
        backend: Where plans are measured and repaired, and in which precision they are asked.

    Raises:
        PrimeSVTError: The set is the test set, or does not fit the model.
    """

    model: nn.Module
    images: ImageSet
    on_batch: Callable[[int], None] = lambda _: None
    cache: int = DEFAULT_CACHE
    calibration: Calibration | None = None
    measures: tuple[Measure, ...] = ()
    backend: Backend = field(default_factory=Backend)

    def __post_init__(self) -> None:
        if self.images.role != "selection":
            raise PrimeSVTError(
                f"Searching on the {self.images.role} set is refused: the plan would be fitted to it, and its accuracy "
                "would mean nothing. Use the selection set."
            )
        self.images.check(self.model.config)  # type: ignore[arg-type]

    @cached_property
    def pruner(self) -> Pruner:
        """The way from plans to models."""
        return Pruner(self.model, self.calibration, self.backend)

    @cached_property
    def forwards(self) -> Forwards:
        """How versions are asked: as fast as this machine can, sharing what they have in common."""
        one, _ = self.images.read(config_of(self.model), self.images.indices[:1])
        if self.backend.engine:
            return SharedForward(self.model, one.shape, self.images.indices, self.cache)
        return DeviceForward(self.model, one.shape, self.images.indices, self.cache, self.backend)

    def evaluate(self, plan: PruningPlan, rejection: Rejection | None = None) -> Evaluation:
        """Prune, and ask for every image, or until the plan is rejected.

        Raises:
            PrimeSVTError: The plan names a layer or a criterion that does not exist.
        """
        return self.counted(plan, rejection).evaluation

    def counted(self, plan: PruningPlan, rejection: Rejection | None = None) -> Counted:
        """As :meth:`evaluate`, with what it was counted from.

        Raises:
            PrimeSVTError: The plan names a layer or a criterion that does not exist.
        """
        unpruned = self._unpruned  # not a part of this plan's time
        started = time.perf_counter()
        version = self.pruner.version(plan)
        answers = self._ask(version, rejection)
        seen = len(answers.predictions.labels)
        asked = slice(seen) if rejection is None else rejection.order[:seen]
        weights = None if rejection is None or seen == len(self.images) else rejection.weights(seen)
        far = finite_divergence(unpruned.predictions.logits[asked], answers.predictions.logits, weights)
        return self._summary(version, plan, answers, far, time.perf_counter() - started, rejection)

    def completed(self, evaluation: Evaluation, plan: PruningPlan) -> Evaluation:
        """An evaluation from elsewhere with the measures that it lacks; those of images ask for all of them again."""
        missing = [measure for measure in self.measures if measure.name not in evaluation.measures]
        if not missing:
            return evaluation
        version = self.pruner.version(plan)
        work = self._ask(version, None).work if any(measure.needs_images for measure in missing) else None
        added = {measure.name: measure.value(version.model, work) for measure in missing}
        return replace(evaluation, measures={**evaluation.measures, **added})

    def baseline(self) -> Counted:
        """Ask the unpruned model for every image."""
        plan, unpruned = PruningPlan(), self._unpruned
        return self._summary(self.pruner.version(plan), plan, unpruned, 0.0, unpruned.predictions.seconds)

    def key(self, plan: PruningPlan) -> str:
        """Equal for plans that lead to the same model on the same images: their evaluation is the same.

        What is measured in another precision, or on a device of another class, is another evaluation.
        """
        return self.pruner.key(plan, " ".join(filter(None, (self.images.fingerprint, self.backend.text))))

    def measures_as(self, other: "Evaluator") -> bool:
        """Whether another one measures any plan the same way, so that one of the two is enough."""
        return self.model is other.model and self._identity == other._identity

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        looked_at = None if self.calibration is None else self.calibration.fingerprint
        return type(self), self.key(PruningPlan()), self.backend, looked_at, self.on_batch, self.cache, self.measures

    @cached_property
    def sureness(self) -> np.ndarray:
        """By how much the unpruned model's largest logit of each image is above the second, float32 ``[N]``."""
        logits = np.sort(self._unpruned.predictions.logits, axis=1)
        return np.asarray(logits[:, -1] - logits[:, -2:].min(axis=1))

    @cached_property
    def _unpruned(self) -> Answers:
        """The unpruned model's answers, which every plan's are compared with; asked when the first plan is measured."""
        return self._ask(self.pruner.version(PruningPlan()), None)

    def _ask(self, version: Version, rejection: Rejection | None) -> Answers:
        counter = None
        if any(measure.needs_images for measure in self.measures):
            forward, counter = self.forwards.counted(version.model, version.weights)
        else:
            forward = self.forwards.of(version.model, version.weights)
        if rejection is None:
            predictions = predict(version.model, self.images, on_batch=self.on_batch, forward=forward)
        else:
            predictions = predict(
                version.model,
                replace(self.images, indices=self.images.indices[rejection.order]),
                on_batch=self.on_batch,
                enough=lambda classes, labels: bool(rejection.decide(classes == labels)),
                forward=forward,
            )
        if counter is None:
            return Answers(predictions, None)
        counted = None
        if rejection is not None and len(predictions.labels) < len(self.images):
            # Those behind are the ones that the model is least sure of. Of a batch, what is known is counted first.
            size = batch_size_of(config_of(version.model))
            counted = -(-rejection.drawn // size) * size
        return Answers(predictions, counter.work(counted))

    def _summary(
        self,
        version: Version,
        plan: PruningPlan,
        answers: Answers,
        far: float,
        seconds: float,
        rejection: Rejection | None = None,
    ) -> Counted:
        predictions, size = answers.predictions, self.pruner.bytes(plan)
        right = predictions.classes == predictions.labels
        evaluation = Evaluation(
            right=int(right.sum()),
            images=len(right),
            bytes=size,
            memory_saving=1 - size / self.pruner.unpruned_bytes,
            seconds=seconds,
            divergence=far,
            measures={measure.name: measure.value(version.model, answers.work) for measure in self.measures},
        )
        return Counted(_stopped(evaluation, right, rejection), right)


def _stopped(evaluation: Evaluation, right: np.ndarray, rejection: Rejection | None) -> Evaluation:
    """The evaluation, marked where it was stopped before the last image."""
    if rejection is None or not (reason := rejection.decide(right)):
        return evaluation
    return replace(
        evaluation,
        decided_early=reason,
        estimate=rejection.estimate(right),
        least_drop=rejection.least_drop,
    )
