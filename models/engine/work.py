"""The work of a model on real images, as numbers; :mod:`.counter` counts it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LayerWork:
    """The work of one layer for one image, the mean of all that were seen.

    Args:
        layer: Its name.
        synops: Synaptic operations by time step: additions that a spike causes.
        macs: Multiplications with an addition, where real numbers are read.
        spikes: Spikes that it reads, all time steps together.
        neurons: Neurons that it reads, times their time steps; 0 where it reads no spikes.
    """

    layer: str
    synops: tuple[float, ...]
    macs: float
    spikes: float
    neurons: int

    @property
    def rate(self) -> float | None:
        """Spikes per neuron and time step, above 1 where shortcuts add spikes; None where these are no neurons."""
        return self.spikes / self.neurons if self.neurons else None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"synops": sum(self.synops), "synops_by_step": list(self.synops), "macs": self.macs, "rate": self.rate}


@dataclass(frozen=True)
class Work:
    """The work of a model for one image, the mean of all that were seen.

    Args:
        images: How many were seen.
        layers: In the order of the forward pass.
        unknown: Operators that are not counted because nothing is known of them, each with its place.
    """

    images: int
    layers: tuple[LayerWork, ...]
    unknown: tuple[str, ...] = ()

    @property
    def synops(self) -> float:
        """Synaptic operations."""
        return sum(sum(layer.synops) for layer in self.layers)

    @property
    def macs(self) -> float:
        """Multiplications with an addition, in layers that read real numbers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def rate(self) -> float | None:
        """Spikes per neuron and time step, the mean over all that layers read; None where no layer reads spikes."""
        neurons = sum(layer.neurons for layer in self.layers)
        return sum(layer.spikes for layer in self.layers) / neurons if neurons else None

    @property
    def synops_by_step(self) -> tuple[float, ...]:
        """Synaptic operations by time step; those of a layer behind the mean over time are in the first."""
        steps = max((len(layer.synops) for layer in self.layers), default=0)
        return tuple(sum(layer.synops[t] for layer in self.layers if t < len(layer.synops)) for t in range(steps))
