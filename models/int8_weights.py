"""Weights stored as whole numbers of a byte.

Every weight ``w`` of a convolution becomes ``q * scale``: ``q`` an int8 from -127 to 127, and for each output channel
a float32 ``scale = max |w| / 127`` of its own; zero stays zero. A BatchNorm folded into the convolution multiplies
whole output channels, so it changes the scales and no ``q``: folded or not, the same is stored. Biases, BatchNorm and
the classifier, some hundredths of a model, stay as they are.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from .errors import PrimeSVTError

# The largest whole number: as far from zero on either side.
_MOST = 127
# What a scale is called, behind the name of its weights.
SCALE = "_scale"


def quantized(weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int8 of the same shape, and the scale of every channel, float32 ``[C]``.

    Args:
        weights: Float32 of any shape.
        axis: That of the output channels.
    """
    others = tuple(dim for dim in range(weights.ndim) if dim != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = (np.where(largest > 0, largest, _MOST) / _MOST).astype(np.float32)
    return np.clip(np.rint(weights / scale), -_MOST, _MOST).astype(np.int8), scale.reshape(-1)


def int8_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of a model with the weights of its convolutions as int8, and a tensor of scales ``[C]`` for each.

    Raises:
        PrimeSVTError: A weight is NaN or infinite.
    """
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    for name in _weights(model):
        if not torch.isfinite(state[name]).all():
            raise PrimeSVTError(f"{name} holds NaN or infinity, which no int8 says; store the model in float32.")
        whole, scale = quantized(state[name].float().numpy(), 0)
        state[name], state[name + SCALE] = torch.from_numpy(whole), torch.from_numpy(scale)
    return state


def float_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that :func:`int8_state` stands for, in the type of the classifier's; what does not fit stays."""
    found = dict(state)
    for name, whole in state.items():
        scale = state.get(name + SCALE)
        if whole.dtype == torch.int8 and scale is not None and scale.shape == whole.shape[:1]:
            del found[name + SCALE]
            weights = whole.float() * scale.view(-1, *[1] * (whole.ndim - 1))
            found[name] = weights.to(state.get("head.weight", scale).dtype)
    return found


def int8_bytes(model: nn.Module) -> int:
    """Bytes of all tensors that are stored, with weights as int8."""
    bytes_of = {name: tensor.numel() * tensor.element_size() for name, tensor in model.state_dict().items()}
    for name in _weights(model):
        weights = model.get_parameter(name)
        bytes_of[name] = weights.numel() + 4 * len(weights)
    return sum(bytes_of.values())


def _weights(model: nn.Module) -> list[str]:
    """Names of the weights that become int8."""
    return [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
