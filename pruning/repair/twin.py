"""A second model on the same tensors, to be watched and changed without touching the first; or on another device."""

import torch
from torch import nn

from primesvt.models import assembled, config_of


def twin_of(model: nn.Module) -> nn.Module:
    """A model in evaluation mode with the same tensors, which answers each image for itself.

    What replaces a tensor of the twin leaves the model as it is; nothing may be written into one.
    """
    return assembled(config_of(model).independent(), model.state_dict()).eval().requires_grad_(False)


def precise_twin_of(model: nn.Module) -> nn.Module:
    """A twin in float64, with tensors of its own: what it says does not depend on the processor, but for rounding.

    On a GPU it is the twin as it is: SpikingJelly's neurons integrate in float32 there.
    """
    twin = twin_of(model)
    return twin.double() if device_of(model).type == "cpu" else twin


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
