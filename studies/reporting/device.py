"""What a device feels of the plan that is put forward, beside the unpruned model: every measure, and latency.

What each of them is: see docs/measures.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from torch import nn

from primesvt.models import ImageSet, count_work, model_bytes
from primesvt.pruning import Pruner, PruningPlan, measure_named, measures_at_once

from ..running.latency import measure_latencies

# Images on which a model's work is counted, where nobody says how many: it differs little from one to the next.
IMAGES = 256
# Channels that most runtimes like.
MULTIPLE = 8


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """What it is worth that layers keep a multiple of some channels (``--multiple``).

    Args:
        multiple: Of the plan beside; 1 where it is the chosen one that has multiples.
        bytes: Stored bytes of the plan beside.
        latency: Its milliseconds, measured in turn with those of the chosen plan.
    """

    multiple: int
    bytes: int
    latency: float


@dataclass(frozen=True, kw_only=True)
class DeviceCost:
    """What a model takes of a device.

    Args:
        bytes: Stored bytes.
        measures: Installed measures by their names; those that look at images are of one, the mean of a few. Those
            that need a table are there where a search looked at them.
        images: How many were looked at.
        latency: Milliseconds in ONNX Runtime, one image, one thread; None where it was not measured.
        rounded: The same plan in multiples of some channels, or without, where latency was measured.
    """

    bytes: int
    measures: Mapping[str, float]
    images: int
    latency: float | None = None
    rounded: Rounded | None = None

    @classmethod
    def of(cls, model: nn.Module, images: ImageSet) -> Self:
        """Count a model's work for the first images of a set.

        Raises:
            PrimeSVTError: Its spikes cannot be counted, or another package's measure cannot be used.
        """
        _, work = count_work(model, images.first(IMAGES))
        found = {name: measure.value(model, work) for name, measure in measures_at_once().items()}
        return cls(bytes=model_bytes(model), measures=found, images=work.images)

    def told(self, known: Mapping[str, float], names: Sequence[str]) -> Self:
        """The same, with measures that a search looked at in a table."""
        return replace(self, measures={**self.measures, **{name: known[name] for name in names if name in known}})

    def to_json(self) -> dict[str, Any]:
        """Plain data; a measure's name with ``_`` for ``-``, and headed by ``predicted_`` where a table says it."""
        found = {
            ("predicted_" if measure_named(name).needs_table else "") + name.replace("-", "_"): value
            for name, value in self.measures.items()
        }
        rounded = {} if self.rounded is None else {"rounded": asdict(self.rounded)}
        return {**found, "bytes": self.bytes, "images": self.images, "latency": self.latency, **rounded}


def device_costs(
    pruner: Pruner, plan: PruningPlan, images: ImageSet, *, latency: bool
) -> tuple[DeviceCost, DeviceCost]:
    """Of the unpruned model and of a plan.

    Args:
        pruner: Of the model.
        plan: The plan.
        images: A set, of which the first images are looked at.
        latency: Whether to export and time them, too, which takes half a minute each, and the same plan in multiples of
            8 channels, or without where it has multiples.

    Raises:
        PrimeSVTError: Spikes cannot be counted, or a model that is to be timed cannot be exported.
    """
    model, pruned = pruner.model, pruner.version(plan).model
    unpruned, chosen = DeviceCost.of(model, images), DeviceCost.of(pruned, images)
    if not latency:
        return unpruned, chosen
    beside = replace(plan, multiple=1 if plan.multiple > 1 else MULTIPLE, repair=())
    timed = measure_latencies([model, pruned, pruner.version(beside).model])
    first, second, third = (each.milliseconds for each in timed)
    rounded = Rounded(multiple=beside.multiple, bytes=pruner.bytes(beside), latency=third)
    return replace(unpruned, latency=first), replace(chosen, latency=second, rounded=rounded)


def rounded_note(chosen: DeviceCost) -> str:
    """What multiples of channels are worth for the chosen plan, in words; empty where that was not measured."""
    if chosen.rounded is None:
        return ""
    other = chosen.rounded
    how = f"in multiples of {other.multiple} channels" if other.multiple > 1 else "without --multiple"
    more = other.bytes / chosen.bytes - 1
    return (
        f"The same plan {how}: {other.latency:.3f} ms instead of {chosen.latency:.3f} ms, with {other.bytes:,} bytes "
        f"({more:+.2%}); its accuracy was not measured."
    )


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
