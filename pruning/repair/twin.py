"""A second model on the same tensors, to be watched and changed without touching the first one."""

import torch
from torch import nn

from primesvt.models import build, config_of


def twin_of(model: nn.Module) -> nn.Module:
    """A model in evaluation mode with the same tensors, which answers each image for itself.

    What replaces a tensor of the twin leaves the model as it is; nothing may be written into one.
    """
    with torch.device("meta"):
        twin = build(config_of(model).independent())
    twin.load_state_dict(model.state_dict(), assign=True)
    return twin.eval().requires_grad_(False)
