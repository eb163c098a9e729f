"""What a device feels of the plan that is put forward, beside the unpruned model: every measure, and latency.

What each of them is: see docs/measures.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import nn

from primesvt.models import ImageSet, count_work, model_bytes
from primesvt.pruning import measure_named, measures

from ..running.latency import measure_latencies

# Images on which a model's work is counted, where nobody says how many: it differs little from one to the next.
IMAGES = 256


@dataclass(frozen=True, kw_only=True)
class DeviceCost:
    """What a model takes of a device.

    Args:
        bytes: Stored bytes.
        measures: Every installed measure by its name; those that look at images are of one, the mean of a few.
        images: How many were looked at.
        latency: Milliseconds in ONNX Runtime, one image, one thread; None where it was not measured.
    """

    bytes: int
    measures: Mapping[str, float]
    images: int
    latency: float | None = None

    @classmethod
    def of(cls, model: nn.Module, images: ImageSet) -> Self:
        """Count a model's work for the first images of a set.

        Raises:
            PrimeSVTError: Its spikes cannot be counted, or another package's measure cannot be used.
        """
        _, work = count_work(model, images.first(IMAGES))
        found = {name: measure.value(model, work) for name, measure in measures().items()}
        return cls(bytes=model_bytes(model), measures=found, images=work.images)

    def to_json(self) -> dict[str, Any]:
        """Plain data; a measure's name with ``_`` for ``-``."""
        found = {name.replace("-", "_"): value for name, value in self.measures.items()}
        return {**found, "bytes": self.bytes, "images": self.images, "latency": self.latency}


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
    taken = {name: measure_named(name) for name in unpruned.measures}
    rows = [
        (f"{m.label} ({m.unit})" if m.unit else m.label, unpruned.measures[name], chosen.measures[name], m.digits)
        for name, m in taken.items()
    ]
    if unpruned.latency is not None and chosen.latency is not None:
        rows.append(("milliseconds in ONNX Runtime, one thread", unpruned.latency, chosen.latency, 3))
    header = ["for one image", "unpruned", "chosen plan", "less by"]
    return header, [
        [name, f"{before:,.{digits}f}", f"{after:,.{digits}f}", f"{1 - after / before:.2%}" if before else ""]
        for name, before, after, digits in rows
    ]
