"""BatchNorm's statistics made those of the images at hand: before a training that updates them, and after it.

Repair without training writes what it finds into BatchNorm's summands and leaves the statistics, which are no longer
those of the activations. A training that normalises by the batch would undo it. So the statistics are made the true
ones first, and the difference goes into factor and summand: the model answers as before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..data.data_set import ImageSet
from ..families.registry import config_of
from ..prediction import batch_size_of, evaluation_mode

DEFAULT_IMAGES = 1024


def settle(model: nn.Module, images: ImageSet, *, count: int = DEFAULT_IMAGES, compensate: bool) -> None:
    """Make BatchNorm's means and variances those of some images, in place.

    Args:
        model: Any model of PrimeSVT.
        images: The fit set.
        count: How many of its images are looked at, from the first on.
        compensate: Whether factors and summands take up the difference, so that the model answers as before. Otherwise
            every layer normalises by its new statistics, in the order of the forward pass.

    Raises:
        PrimeSVTError: The images do not fit the model.
    """
    first = images.first(min(count, len(images)))
    config = config_of(model)
    # Compensated, no layer's input changes, so one pass measures all; otherwise each depends on those before it, and
    # a pass of all images at once goes through them in order.
    size = batch_size_of(config) if compensate else len(first)
    sums: dict[nn.BatchNorm2d, tuple[torch.Tensor, torch.Tensor, int]] = {}

    def measure(norm: nn.BatchNorm2d, frames: torch.Tensor) -> None:
        flat = frames.detach().double().movedim(1, 0).flatten(1)
        total, squares, seen = sums.get(norm, (0.0, 0.0, 0))
        sums[norm] = (total + flat.sum(1), squares + flat.square().sum(1), seen + flat.shape[1])
        if not compensate:
            _set(norm, *_moments(sums.pop(norm)))

    with evaluation_mode(model), torch.no_grad(), _watched(model, measure):
        for batch, _labels in first.batches(config, size):
            model(batch.to(next(model.parameters()).dtype))
        for norm, found in sums.items():
            mean, variance = _moments(found)
            _compensate(norm, mean, variance)
            _set(norm, mean, variance)


@contextmanager
def _watched(model: nn.Module, measure) -> Iterator[None]:  # type: ignore[no-untyped-def]
    """Calls ``measure`` with every BatchNorm and its input, before it is applied."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(lambda norm, inputs: measure(norm, inputs[0])) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _moments(found: tuple[torch.Tensor, torch.Tensor, int]) -> tuple[torch.Tensor, torch.Tensor]:
    total, squares, seen = found
    mean = total / seen
    return mean, (squares / seen - mean.square()).clamp_min(0)


def _compensate(norm: Any, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Factor and summand with which new statistics give the old answers."""
    before = (norm.running_var.double() + norm.eps).sqrt()
    moved = (mean - norm.running_mean.double()) * norm.weight.double() / before
    norm.bias.copy_(norm.bias.double() + moved)
    norm.weight.copy_(norm.weight.double() * (variance + norm.eps).sqrt() / before)


def _set(norm: Any, mean: torch.Tensor, variance: torch.Tensor) -> None:
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
