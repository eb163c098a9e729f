"""What pruning means: the original model, with the removed channels forced to zero where they are read.

Surgery is proved against this; nothing else uses it. A filter that is merely zeroed is not removed, as BatchNorm would
still make it spike: what is forced to zero is what comes after.
"""

import torch
from torch import nn

from primesvt.models import channel_groups, config_of

from .hooks import Hooks
from .kept import Kept


def masked_logits(model: nn.Module, kept: Kept, images: torch.Tensor) -> torch.Tensor:
    """Logits ``[N, classes]`` of the unpruned model without the channels that are not kept.

    Args:
        model: Any model of PrimeSVT.
        kept: Indices of the channels that stay, by layer, of every layer.
        images: ``[N, C, H, W]`` or ``[T, N, C, H, W]``.
    """
    widths, modules = config_of(model).widths, dict(model.named_modules())
    with torch.no_grad(), Hooks() as hooks:
        for group in channel_groups(model):
            mask = torch.zeros(widths[group.name], dtype=images.dtype)
            mask[kept[group.name]] = 1
            for reader in group.readers:
                hooks.before(modules[reader], _silence(mask))
            if group.stream is not None or not group.readers:
                # Written into the stream, or met in a product or a sum: zero before the neuron is zero after it.
                for name in group.filters:
                    if isinstance(modules[name], nn.BatchNorm2d):
                        hooks.after(modules[name], _mute(mask))
        logits: torch.Tensor = model(images)
    return logits


def _silence(mask: torch.Tensor):  # type: ignore[no-untyped-def]
    """A hook that zeroes what a convolution ``[N, C, H, W]`` or a linear layer ``[N, C]`` reads."""

    def hook(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        (x,) = inputs
        return (x * (mask.view(-1, 1, 1) if x.ndim == 4 else mask),)

    return hook


def _mute(mask: torch.Tensor):  # type: ignore[no-untyped-def]
    """A hook that zeroes what a BatchNorm writes."""

    def hook(_module: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return output * mask.view(-1, 1, 1)

    return hook
