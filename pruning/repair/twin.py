"""A second model on the same tensors, to be watched and changed without touching the first one."""

from torch import nn

from primesvt.models import assembled, config_of


def twin_of(model: nn.Module) -> nn.Module:
    """A model in evaluation mode with the same tensors, which answers each image for itself.

    What replaces a tensor of the twin leaves the model as it is; nothing may be written into one.
    """
    return assembled(config_of(model).independent(), model.state_dict()).eval().requires_grad_(False)
