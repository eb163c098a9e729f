"""The table itself: plain data that a study keeps, and what it says of a plan."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

# ONNX Runtime's fastest convolutions read channels in fours: between widths of one kind times are smooth.
ALIGNMENT = 4


@dataclass(frozen=True)
class Curve:
    """Milliseconds at some widths of one layer or two.

    Args:
        axes: The widths of each, ascending.
        milliseconds: At each of them; of two layers, a row for each width of the first.
    """

    axes: tuple[tuple[int, ...], ...]
    milliseconds: Any

    def at(self, widths: Sequence[int]) -> float:
        """Milliseconds between the widths that were measured, or beyond."""
        values = np.asarray(self.milliseconds, float)
        for axis, width in zip(self.axes, widths, strict=True):
            values = sum(share * values[place] for place, share in _places(axis, width))
        return float(values)


@dataclass(frozen=True)
class Term:
    """One part of a model's latency.

    Args:
        curve: Number of the curve that says it.
        layers: Whose widths it is asked for.
        full: A layer and its stream: it takes this only where the layer writes all of the stream; None is always.
        share: What of the curve it takes.
    """

    curve: int
    layers: tuple[str, ...]
    full: tuple[str, str] | None = None
    share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class LatencyTable:
    """What a machine takes for a model of one structure, one image at a time, on one thread.

    Args:
        machine: Where and with what it was measured.
        curves: Times of parts.
        terms: The parts.
        constant: Milliseconds that every plan takes.
        scale: What a millisecond of a part, timed alone, is in the whole.
        error: Mean relative error on the models that these two were fitted to.
    """

    machine: str
    curves: tuple[Curve, ...]
    terms: tuple[Term, ...]
    constant: float = 0.0
    scale: float = 1.0
    error: float = 0.0

    def parts(self, widths: Mapping[str, int]) -> float:
        """Milliseconds of all parts, each alone; that of a layer that is gone takes none."""
        return sum(
            term.share * self.curves[term.curve].at([widths[layer] for layer in term.layers])
            for term in self.terms
            if (term.full is None or widths[term.full[0]] == widths[term.full[1]])
            and all(widths[layer] for layer in term.layers)
        )

    def milliseconds(self, widths: Mapping[str, int]) -> float:
        """Latency of a model.

        Args:
            widths: Channels of every layer.
        """
        return max(self.constant + self.scale * self.parts(widths), 0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain data; :meth:`from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        curves = tuple(Curve(tuple(map(tuple, c["axes"])), c["milliseconds"]) for c in data["curves"])
        terms = tuple(
            Term(**{**t, "layers": tuple(t["layers"]), "full": None if t["full"] is None else tuple(t["full"])})
            for t in data["terms"]
        )
        return cls(**{**data, "curves": curves, "terms": terms})


def _places(axis: Sequence[int], width: int) -> list[tuple[int, float]]:
    """Places on an axis that say what a width between or beyond them takes, with their shares."""
    alike = [i for i, known in enumerate(axis) if (known % ALIGNMENT == 0) == (width % ALIGNMENT == 0)]
    if len(axis) == 1:
        return [(0, 1.0)]
    # One of a kind says nothing of a slope.
    alike = alike if len(alike) > 1 else list(range(len(axis)))
    before = min(max(bisect_right([axis[i] for i in alike], width) - 1, 0), len(alike) - 2)
    low, high = alike[before], alike[before + 1]
    share = (width - axis[low]) / (axis[high] - axis[low])
    return [(low, 1 - share), (high, share)]
