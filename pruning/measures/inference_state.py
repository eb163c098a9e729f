"""Memory of one image while it is inferred, beside the model: what every neuron keeps from step to step."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from primesvt.models import LIFNode, Work, assembled, config_of

from .measure import Measure


@dataclass(frozen=True)
class InferenceState:
    """What one image needs in memory while it is inferred, beside the model.

    Args:
        neurons: Spiking neurons of the model.
    """

    neurons: int

    @property
    def membrane_bytes(self) -> int:
        """Bytes of all membrane potentials in float32."""
        return 4 * self.neurons

    @property
    def spike_bytes(self) -> int:
        """Bytes of the spikes of one time step, as bits."""
        return math.ceil(self.neurons / 8)


def inference_state(model: nn.Module) -> InferenceState:
    """Count the neurons of a model by showing one blank image to a twin whose convolutions and neurons answer zeros.

    Zeros take no memory and no time, however large the image is. (PyTorch's device without numbers, ``meta``, imports
    its compiler, which takes seconds.)
    """
    config = config_of(model)
    twin = assembled(config, model.state_dict()).eval()
    neurons = 0

    def fire(x: torch.Tensor, steps: int | None = None) -> torch.Tensor:
        nonlocal neurons
        neurons += x[0].numel()
        return _zeros(x, steps or x.shape[0], *x.shape[1:])

    for module in twin.modules():
        if isinstance(module, LIFNode):
            module.forward = fire  # type: ignore[method-assign]
        elif isinstance(module, nn.Conv2d):
            module.forward = partial(_convolved, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.BatchNorm2d):
            module.forward = _same  # type: ignore[assignment]
    image = next(model.parameters()).new_zeros(())
    with torch.inference_mode():
        twin(_zeros(image, 1, config.in_channels, *config.image_size))
    return InferenceState(neurons)


def _convolved(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """Zeros in the shape of a convolution's output."""
    size = []
    for side, length in enumerate(x.shape[2:]):
        span = conv.dilation[side] * (conv.kernel_size[side] - 1) + 1
        size.append((length + 2 * int(conv.padding[side]) - span) // conv.stride[side] + 1)
    return _zeros(x, x.shape[0], conv.out_channels, *size)


def _zeros(like: torch.Tensor, *shape: int) -> torch.Tensor:
    return like.new_zeros(()).expand(shape)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _bytes(model: nn.Module) -> float:
    state = inference_state(model)
    return state.membrane_bytes + state.spike_bytes


def _parts(model: nn.Module, _work: Work) -> str:
    state = inference_state(model)
    return f"{state.membrane_bytes:,} of membrane potentials, {state.spike_bytes:,} of spikes"


STATE_BYTES = Measure(name="state-bytes", label="membranes and spikes", unit="bytes", of=_bytes, note=_parts)
