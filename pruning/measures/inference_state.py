"""Memory of one image while it is inferred, beside the model: what every neuron keeps from step to step."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from primesvt.models import LIFNode, build, config_of

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
    """Count the neurons of a model by showing one blank image to a twin that has shapes and no numbers."""
    config = config_of(model)
    neurons = 0

    def count(_module: nn.Module, _inputs: Any, spikes: torch.Tensor) -> None:
        nonlocal neurons
        neurons += spikes[0].numel()

    # On the meta device nothing is computed or allocated, however large the image is.
    with torch.device("meta"), torch.inference_mode():
        twin = build(config).eval()
        for module in twin.modules():
            if isinstance(module, LIFNode):
                module.register_forward_hook(count)
        twin(torch.empty((1, config.in_channels, *config.image_size)))
    return InferenceState(neurons)


def _bytes(model: nn.Module) -> float:
    state = inference_state(model)
    return state.membrane_bytes + state.spike_bytes


STATE_BYTES = Measure(name="state-bytes", label="membranes and spikes", unit="bytes", of=_bytes)
