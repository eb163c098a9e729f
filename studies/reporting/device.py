"""What a device feels of the plan that is put forward, beside the unpruned model: see docs/measures.md."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from torch import nn

from primesvt.models import ImageSet, count_work, model_bytes
from primesvt.pruning import OperationEnergy, inference_state

from ..running.latency import measure_latencies

# As many as `primesvt measure` looks at by default.
IMAGES = 256


@dataclass(frozen=True, kw_only=True)
class DeviceCost:
    """What a model takes for one image, the mean of a few.

    Args:
        bytes: Stored bytes.
        synops: Synaptic operations.
        macs: Multiply-accumulates.
        energy: Of these operations, in microjoules.
        state_bytes: Membrane potentials, and spikes of one time step.
        images: How many were looked at.
        latency: Milliseconds in ONNX Runtime, one image, one thread; None where it was not measured.
    """

    bytes: int
    synops: float
    macs: float
    energy: float
    state_bytes: int
    images: int
    latency: float | None = None

    @classmethod
    def of(cls, model: nn.Module, images: ImageSet) -> Self:
        """Count a model's work for the first images of a set.

        Raises:
            PrimeSVTError: Its spikes cannot be counted.
        """
        _, work = count_work(model, images.first(IMAGES))
        state = inference_state(model)
        return cls(
            bytes=model_bytes(model),
            synops=work.synops,
            macs=work.macs,
            energy=OperationEnergy().of(work),
            state_bytes=state.membrane_bytes + state.spike_bytes,
            images=work.images,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def device_costs(models: Sequence[nn.Module], images: ImageSet, *, latency: bool) -> list[DeviceCost]:
    """Of several models.

    Args:
        models: The models.
        images: A set, of which the first images are looked at.
        latency: Whether to export and time them, too, which takes half a minute each.

    Raises:
        PrimeSVTError: Spikes cannot be counted, or a model that is to be timed cannot be exported.
    """
    costs = [DeviceCost.of(model, images) for model in models]
    if not latency:
        return costs
    timed = measure_latencies(models)
    return [replace(cost, latency=each.milliseconds) for cost, each in zip(costs, timed, strict=True)]


def device_table(unpruned: DeviceCost, chosen: DeviceCost) -> tuple[list[str], list[list[str]]]:
    """Both side by side: header and rows."""
    rows: list[tuple[str, float, float, int]] = [
        ("bytes", unpruned.bytes, chosen.bytes, 0),
        ("energy of an image's operations (µJ)", unpruned.energy, chosen.energy, 3),
        ("synaptic operations", unpruned.synops, chosen.synops, 0),
        ("multiply-accumulates", unpruned.macs, chosen.macs, 0),
        ("bytes of membranes and spikes at work", unpruned.state_bytes, chosen.state_bytes, 0),
    ]
    if unpruned.latency is not None and chosen.latency is not None:
        rows.append(("milliseconds in ONNX Runtime, one thread", unpruned.latency, chosen.latency, 3))
    header = ["for one image", "unpruned", "chosen plan", "less by"]
    return header, [
        [name, f"{before:,.{digits}f}", f"{after:,.{digits}f}", f"{1 - after / before:.2%}" if before else ""]
        for name, before, after, digits in rows
    ]
