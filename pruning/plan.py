"""A pruning plan: which fraction of which layer's channels goes away. Data, nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from primesvt.models import PrimeSVTError, read_json, whole_file

DEFAULT_CRITERION = "l2"


@dataclass(frozen=True)
class PruningPlan:
    """Ratios of channels to remove, by layer, and the criterion that picks the channels.

    Args:
        ratios: Layer name to ratio, the fraction of its channels removed, in [0, 1]. Layers that are not named, or
            named with 0, stay as they are. 1 removes the layer, which needs 1 of all other layers of its residual
            branch, see :func:`branches`; below 1 some channels always stay. The order does not matter.
        criterion: Name of the importance criterion, see :mod:`primesvt.pruning.criteria`.
        repair: Names of the steps that repair the pruned model, in their order, see :mod:`primesvt.pruning.repair`.
        multiple: Layers that lose channels keep a multiple of so many, see :func:`kept_counts`.

    Raises:
        PrimeSVTError: A ratio is no number in [0, 1], the repair is no list of names, or the multiple is no whole
            number of at least 1.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    criterion: str = DEFAULT_CRITERION
    repair: tuple[str, ...] = ()
    multiple: int = 1

    def __post_init__(self) -> None:
        for name, ratio in self.ratios.items():
            if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 <= ratio <= 1:
                raise PrimeSVTError(f"The ratio of {name} must be in [0, 1], the fraction removed; got {ratio!r}.")
        ordered = {str(name): float(self.ratios[name]) for name in sorted(self.ratios)}
        object.__setattr__(self, "ratios", MappingProxyType(ordered))
        if isinstance(self.repair, str) or not all(isinstance(step, str) for step in self.repair):
            raise PrimeSVTError(
                f'The repair of a plan is a list of steps such as ["least-squares"], got {self.repair!r}.'
            )
        object.__setattr__(self, "repair", tuple(self.repair))
        if isinstance(self.multiple, bool) or not isinstance(self.multiple, int) or self.multiple < 1:
            raise PrimeSVTError(f"The multiple of a plan is a whole number of at least 1, got {self.multiple!r}.")

    def __hash__(self) -> int:
        return hash((tuple(self.ratios.items()), self.criterion, self.repair, self.multiple))

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, float], str, tuple[str, ...], int]]:
        # A mapping proxy can be neither pickled nor copied.
        return type(self), (dict(self.ratios), self.criterion, self.repair, self.multiple)

    def to_json(self) -> dict[str, Any]:
        """Plain data: ``{"criterion": ..., "ratios": {layer: ratio}}``.

        With ``"repair": [step, ...]`` where there is any, and ``"multiple": N`` where it is not 1.
        """
        repair = {"repair": list(self.repair)} if self.repair else {}
        multiple = {"multiple": self.multiple} if self.multiple != 1 else {}
        return {"criterion": self.criterion, **repair, **multiple, "ratios": dict(self.ratios)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            PrimeSVTError: It is something else.
        """
        if unknown := sorted(set(data) - {"criterion", "ratios", "repair", "multiple"}):
            raise PrimeSVTError(
                f"A plan has 'criterion', 'ratios', 'repair' and 'multiple', got also "
                f"{', '.join(map(str, unknown[:5]))}."
            )
        ratios, criterion, repair = data.get("ratios"), data.get("criterion", DEFAULT_CRITERION), data.get("repair", [])
        if not isinstance(ratios, Mapping) or not isinstance(criterion, str):
            raise PrimeSVTError('A plan must look like {"criterion": "l2", "ratios": {"blocks.0.hidden": 0.5}}.')
        if not isinstance(repair, (list, tuple)) or not all(isinstance(step, str) for step in repair):
            raise PrimeSVTError(f'The repair of a plan is a list of steps such as ["least-squares"], got {repair!r}.')
        return cls(ratios, criterion, tuple(repair), data.get("multiple", 1))


def load_plan(file: str | Path) -> PruningPlan:
    """Read a plan from a JSON file.

    Raises:
        PrimeSVTError: The file cannot be read, or holds no plan.
    """
    data = read_json(Path(file), f"Cannot read the plan {file}: {{}}.")
    try:
        return PruningPlan.from_json(data)
    except PrimeSVTError as error:
        raise PrimeSVTError(f"{file}: {error}") from error


def save_plan(plan: PruningPlan, file: str | Path) -> None:
    """Write a plan as JSON, readable by :func:`load_plan`; a file that is there is replaced whole or not at all.

    Raises:
        PrimeSVTError: The file cannot be written.
    """
    with whole_file(file, "the plan") as partial:
        partial.write_text(json.dumps(plan.to_json(), indent=1) + "\n", encoding="utf-8")


def kept_count(channels: int, ratio: float, heads: int = 1, *, multiple: int = 1, least: int = 1) -> int:
    """Channels left of ``channels`` when ``ratio`` of them is removed: :func:`kept_counts` of one layer."""
    return int(kept_counts(np.array(channels), np.array(ratio), np.array(heads), multiple, least))


def kept_counts(
    channels: np.ndarray, ratios: np.ndarray, heads: np.ndarray, multiple: int = 1, least: int = 1
) -> np.ndarray:
    """Channels left of many layers and ratios at once, arrays whose shapes go together.

    The number removed is rounded down, the same in every head, and at least one channel per head stays. What stays is
    rounded up to a multiple, in every head, up to all that there is: a head of fewer channels loses none. A ratio of 1
    leaves nothing, whatever else is said.

    Args:
        channels: Of the layers.
        ratios: Of the channels that are to be removed.
        heads: Among which the channels are divided evenly.
        multiple: What stays per head is a multiple of it, or all.
        least: So many stay at least, per head.
    """
    per_head = channels // heads
    # The tolerance keeps 0.3 * 10 from being 2 channels.
    kept = np.maximum(per_head - np.floor(ratios * per_head + 1e-9), least)
    kept = np.minimum(np.ceil(kept / multiple) * multiple, per_head) * heads
    return np.asarray(np.where(ratios == 1, 0, kept))
