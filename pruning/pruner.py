"""From a plan to what follows from it: kept channels, bytes, the key of an evaluation, and the smaller model itself.

This is the one way from a plan to a model. Two plans that lead to the same model have the same key; two versions of a
module with the same digest have the same weights; and no version writes into a tensor that it was lent.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from torch import nn

from primesvt.models import config_of, fingerprint, model_bytes

from .calibration import Calibration
from .kept import Kept, Scores, kept_channels, scores_of
from .memory import kept_bytes
from .plan import PruningPlan
from .statistics import Statistics
from .surgery import remove, version_of


@dataclass(frozen=True, eq=False)
class Version:
    """A pruned model that shares what it did not lose with the unpruned one: to be asked, not to be trained.

    Args:
        kept: The channels that it has left, by layer.
        model: The model.
        weights: From the name of a module to a digest that is equal where two versions have equal weights there.
    """

    kept: Kept
    model: nn.Module
    weights: Callable[[str], bytes]


@dataclass(frozen=True, eq=False)
class Pruner:
    """Prunes one model by many plans.

    Args:
        model: The unpruned model, which stays as it is.
        calibration: For the criteria and repair steps that look at data; None where no plan names one.
    """

    model: nn.Module
    calibration: Calibration | None = None

    def kept(self, plan: PruningPlan) -> Kept:
        """Indices of the channels that stay, by layer.

        Raises:
            PrimeSVTError: The plan names a layer or a criterion that does not exist, or one that needs calibration
                images where there are none.
        """
        return self._kept(plan)

    def bytes(self, plan: PruningPlan) -> int:
        """Bytes of the pruned model, without building it.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        return kept_bytes(self.model, self.kept(plan))

    def saving(self, plan: PruningPlan) -> float:
        """Fraction of the unpruned model's bytes that the plan saves.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        return 1 - self.bytes(plan) / self.unpruned_bytes

    @cached_property
    def unpruned_bytes(self) -> int:
        """Bytes of the unpruned model."""
        return model_bytes(self.model)

    def key(self, plan: PruningPlan, images: str) -> str:
        """Equal for plans that lead to the same model: on the same images, their evaluation is the same.

        Args:
            plan: The plan.
            images: Fingerprint of the images.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        digest = hashlib.sha256(f"{self._fingerprint}/{images}".encode())
        for layer, channels in sorted(self.kept(plan).items()):
            digest.update(layer.encode())
            digest.update(channels.numpy().tobytes())
        return digest.hexdigest()[:24]

    def version(self, plan: PruningPlan) -> Version:
        """The pruned model, to be asked.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        kept = self.kept(plan)
        return Version(kept, remove(self.model, kept, share=True), version_of(config_of(self.model), kept))

    def prune(self, plan: PruningPlan) -> nn.Module:
        """The pruned model, which shares no memory with the unpruned one.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        return remove(self.model, self.kept(plan))

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.model)

    @cached_property
    def _kept(self) -> Callable[[PruningPlan], Kept]:
        # Of the last plan only: it is asked for its key first, and measured then.
        return lru_cache(1)(lambda plan: kept_channels(self.model, plan, self._scores(plan.criterion)))

    @cached_property
    def _scores(self) -> Callable[[str], Scores]:
        statistics = None if self.calibration is None else Statistics(self.model, self.calibration)
        return cache(lambda criterion: scores_of(self.model, criterion, statistics))
