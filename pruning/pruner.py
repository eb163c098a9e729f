"""From a plan to what follows from it: kept channels, bytes, the key of an evaluation, and the smaller model itself.

This is the one way from a plan to a model. Two plans that lead to the same model have the same key; two versions of a
module with the same digest have the same weights; and no version writes into a tensor that it was lent.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache

import numpy as np
import torch
from torch import nn

from primesvt.models import Backend, PrimeSVTError, config_of, fingerprint, model_bytes

from .byte_counter import ByteCounter
from .calibration import Calibration
from .channel_statistics import Statistics
from .criteria import criterion
from .kept import Kept, Scores, kept_channels, layer_scores, scores_of
from .layers import check_layers
from .plan import PruningPlan
from .repair import Reference, StepReport, repair_steps, run_repair
from .repair.rounding import ARITHMETIC
from .stored_bytes import kept_bytes
from .surgery import remove, version_of


@dataclass(frozen=True, eq=False)
class Version:
    """A pruned model that shares what it did not lose with the unpruned one: to be asked, not to be trained.

    Args:
        kept: The channels that it has left, by layer.
        model: The model.
        weights: From the name of a module to a digest that is equal where two versions have equal weights there.
        repair: What the steps of its plan did, in their order.
    """

    kept: Kept
    model: nn.Module
    weights: Callable[[str], bytes]
    repair: tuple[StepReport, ...] = ()


@dataclass(frozen=True, eq=False)
class Pruner:
    """Prunes one model by many plans.

    Args:
        model: The unpruned model, which stays as it is.
        calibration: For the criteria and repair steps that look at data; None where no plan names one.
        backend: Where versions are repaired. Criteria are computed on the CPU, so that every device removes the same.
    """

    model: nn.Module
    calibration: Calibration | None = None
    backend: Backend = field(default_factory=Backend)

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

    def counter(self, criterion: str, multiple: int = 1) -> ByteCounter:
        """Counts the bytes of many plans of a criterion and a multiple.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        return ByteCounter.of(self.model, criterion, self._scores(criterion), multiple=multiple)

    def scores(self, criterion: str, layer: str) -> np.ndarray:
        """Scores of a layer's channels, float64 ``[C]``: those with the smallest go first.

        Raises:
            PrimeSVTError: As :meth:`kept`.
        """
        check_layers(self.model, (layer,))
        return layer_scores(self.model, layer, self._scores(criterion)).numpy()

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
        if self._is_repaired(plan):
            digest.update(repr((plan.repair, self._reference.calibration.fingerprint, ARITHMETIC)).encode())
        return digest.hexdigest()[:24]

    def version(self, plan: PruningPlan) -> Version:
        """The pruned model, repaired where the plan says so, to be asked.

        Raises:
            PrimeSVTError: As :meth:`kept`, or a repair step is unknown or has no calibration images.
        """
        kept = self.kept(plan)
        pruned, cut = remove(self.model, kept, share=True), version_of(config_of(self.model), kept)
        if not self._is_repaired(plan):
            return Version(kept, pruned, cut)
        model, reports = run_repair(self._reference, pruned, kept, repair_steps(plan.repair))
        return Version(kept, model, _weights_of(model, cut), reports)

    def prune(self, plan: PruningPlan) -> nn.Module:
        """The pruned model, repaired where the plan says so, which shares no memory with the unpruned one.

        Raises:
            PrimeSVTError: As :meth:`version`.
        """
        model = self.version(plan).model
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()
        return model

    def _is_repaired(self, plan: PruningPlan) -> bool:
        """Whether there is something to repair: a plan that removes nothing breaks nothing."""
        widths = config_of(self.model).widths
        return bool(plan.repair) and any(len(kept) < widths[layer] for layer, kept in self.kept(plan).items())

    @cached_property
    def _reference(self) -> Reference:
        if self.calibration is None:
            raise PrimeSVTError("Repair looks at calibration images; give a data set (--data).")
        return Reference.on(self.backend, self.model, self.calibration)

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


def needs_calibration(criterion_name: str, repair: Sequence[str]) -> bool:
    """Whether plans of a criterion and some repair steps look at calibration images.

    Raises:
        PrimeSVTError: There is no such criterion.
    """
    return bool(repair) or criterion(criterion_name).needs_statistics


def prune(model: nn.Module, plan: PruningPlan, calibration: Calibration | None = None) -> nn.Module:
    """A new, smaller model; ``model`` is left untouched, and shares no memory with it.

    Args:
        model: Any model of PrimeSVT, pruned before or not.
        plan: What to remove, and how to repair what that breaks.
        calibration: For the criteria and repair steps that look at data; None where the plan names none.

    Raises:
        PrimeSVTError: As :meth:`Pruner.version`.
    """
    return Pruner(model, calibration).prune(plan)


def _weights_of(model: nn.Module, cut: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """Digests of the weights themselves, beside those of what was cut: every layer was repaired after those before."""
    state = model.state_dict()

    def weights(module: str) -> bytes:
        digest = hashlib.blake2b(cut(module), digest_size=16)
        for name, tensor in state.items():
            if name.startswith(f"{module}."):
                digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.digest()

    return weights
