"""A second model on the same tensors, to be watched and changed without touching the first; or on another device."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from primesvt.models import assembled, config_of

# Numbers of the windows that are written down at once, 128 MB in float64.
_MOST_WINDOWS = 2**24


def twin_of(model: nn.Module) -> nn.Module:
    """A model in evaluation mode with the same tensors, which answers each image for itself.

    What replaces a tensor of the twin leaves the model as it is; nothing may be written into one.
    """
    return assembled(config_of(model).independent(), model.state_dict()).eval().requires_grad_(False)


def precise_twin_of(model: nn.Module) -> nn.Module:
    """A twin in float64: what it says does not depend on the processor, but for rounding.

    On a GPU it is the twin as it is: SpikingJelly's neurons integrate in float32 there.
    """
    twin = twin_of(model)
    if device_of(model).type != "cpu":
        return twin
    for conv in twin.modules():
        if isinstance(conv, nn.Conv2d):
            conv.forward = partial(convolved, conv)  # type: ignore[method-assign]
    return twin.double()


def convolved(conv: nn.Conv2d, frames: torch.Tensor) -> torch.Tensor:
    """What a convolution makes of ``frames [B, C, H, W]``, some at a time in float64.

    There PyTorch first writes down every window that a filter reads, of all frames that it is given.
    """
    windows = frames[0].numel() * conv.kernel_size[0] * conv.kernel_size[1]
    size = max(1, _MOST_WINDOWS // windows) if frames.dtype == torch.float64 else len(frames)
    where = conv.stride, conv.padding, conv.dilation, conv.groups
    parts = [F.conv2d(part, conv.weight, conv.bias, *where) for part in frames.split(size)]  # type: ignore[arg-type]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def placed(model: nn.Module, device: torch.device) -> nn.Module:
    """The model itself where it is on the device, or else one with copies of its tensors there, in its mode."""
    if device_of(model) == device:
        return model
    state = {name: tensor.to(device) for name, tensor in model.state_dict().items()}
    return assembled(config_of(model), state).train(model.training)


def dtype_of(model: nn.Module) -> torch.dtype:
    """Of the tensors of a model."""
    return next(model.parameters()).dtype


def device_of(model: nn.Module) -> torch.device:
    """Where the tensors of a model are."""
    return next(model.parameters()).device
