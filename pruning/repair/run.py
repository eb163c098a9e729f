"""Repair: a pruned model made to answer as the original does, from a few hundred images without labels, untrained."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from primesvt.models import PrimeSVTError, assembled, batch_size_of, config_of

from ..kept import Kept
from .divergence import divergence
from .reference import Reference
from .step import NewTensors, RepairStep
from .twin import device_of, placed, twin_of


@dataclass(frozen=True)
class StepReport:
    """What a step did.

    Args:
        step: Name of the step.
        layers: Number of layers that it looked after.
        seconds: Time that it took.
        error_before: Divergence from the original on the calibration images before it.
        error_after: The same after it; equal where it was left out.
        untreated: Layers that it could not help, and why.
        left_out: Why nothing of what it found is used, or None.
    """

    step: str
    layers: int
    seconds: float
    error_before: float
    error_after: float
    untreated: Mapping[str, str] = field(default_factory=dict)
    left_out: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data: dict[str, Any] = {
            "step": self.step,
            "layers": self.layers,
            "seconds": self.seconds,
            "error_before": self.error_before,
            "error_after": self.error_after,
        }
        if self.untreated:
            data["untreated"] = dict(self.untreated)
        return data if self.left_out is None else {**data, "left_out": self.left_out}


def run_repair(
    reference: Reference, pruned: nn.Module, kept: Kept, steps: Sequence[RepairStep]
) -> tuple[nn.Module, tuple[StepReport, ...]]:
    """A repaired model, and what every step did. It has the shapes, and so the bytes, of the pruned one.

    A step that leaves the model further from the original on the calibration images than it was is left out.

    Args:
        reference: The original, and the calibration images; recorded once for any number of pruned models. Its backend
            says where the work is done; the model that comes back is where the pruned one was.
        pruned: What :func:`~primesvt.pruning.remove` made of the original. It is left untouched; tensors that no step
            changes are shared with it.
        kept: Indices of the channels of the original that the pruned model has, by layer, of every layer.
        steps: What to do, in this order.

    Raises:
        PrimeSVTError: The model cannot read the calibration images, or a step wrote into the original.
    """
    if not steps:
        return pruned, ()
    with reference.backend.exact():
        model, reports = _repaired(reference, twin_of(placed(pruned, reference.backend.device)), kept, steps)
    return _as(pruned, placed(model, device_of(pruned))), reports


def _repaired(
    reference: Reference, model: nn.Module, kept: Kept, steps: Sequence[RepairStep]
) -> tuple[nn.Module, tuple[StepReport, ...]]:
    """A repaired twin on the device of the reference."""
    reports, error = [], _error(reference, model)
    kept = {layer: channels.to(reference.backend.device) for layer, channels in kept.items()}
    for step in steps:
        started = time.perf_counter()
        found = _ask(step, reference, model, kept)
        repaired = _with(model, found)
        after = _error(reference, repaired)
        reason = _reason(after, error)
        reports.append(
            StepReport(
                step=step.name,
                layers=len(found.layers),
                seconds=time.perf_counter() - started,
                error_before=error,
                error_after=after if reason is None else error,
                untreated=found.untreated,
                left_out=reason,
            )
        )
        model, error = (repaired, after) if reason is None else (model, error)
    return model, tuple(reports)


def _ask(step: RepairStep, reference: Reference, model: nn.Module, kept: Kept) -> NewTensors:
    """What a step finds for a model; it is lent a copy, as tensors are shared, and a step may be somebody else's.

    Raises:
        PrimeSVTError: It wrote into the original.
    """
    lent = twin_of(model)
    lent.load_state_dict({name: tensor.clone() for name, tensor in model.state_dict().items()}, assign=True)
    tensors = reference.original.state_dict().values()
    before = [tensor._version for tensor in tensors]
    found = step.repair(reference, lent, kept)
    if [tensor._version for tensor in tensors] != before:
        raise PrimeSVTError(
            f"The repair step {step.name!r} wrote into the unpruned model, so nothing that follows could be trusted. A "
            "step must return new tensors."
        )
    return found


def _with(model: nn.Module, found: NewTensors) -> nn.Module:
    """The model with what a step found."""
    twin = twin_of(model)
    twin.load_state_dict({**twin.state_dict(), **found.tensors}, assign=True)
    return twin


def _as(pruned: nn.Module, repaired: nn.Module) -> nn.Module:
    """The repaired twin as a model like the pruned one, in its mode."""
    return assembled(config_of(pruned), repaired.state_dict()).train(pruned.training)


def _error(reference: Reference, model: nn.Module) -> float:
    images = reference.images
    size = batch_size_of(config_of(model))

    def read(indices: np.ndarray) -> torch.Tensor:
        return images.index_select(-4, torch.from_numpy(indices).to(images.device))

    count = images.shape[-4]
    with torch.inference_mode():
        forward = reference.backend.forward(model, read(np.arange(1)).shape)
        answers = [forward.answer(np.arange(start, min(start + size, count)), read) for start in range(0, count, size)]
    return divergence(reference.recording.logits.cpu(), torch.cat(answers))


def _reason(after: float, before: float) -> str | None:
    """Why a step's result is not used, where it is not."""
    if not math.isfinite(after):
        return "its answers are not finite"
    # Where the model's own answers are not finite, any that are are better.
    return f"the error would be {after:.4g}" if after > before else None
