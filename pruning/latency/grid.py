"""At which widths a segment is timed, and what its times mean."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from primesvt.models import EMBEDDING, ModelConfig

from .segments import Segment
from .table import ALIGNMENT, Curve, Term
from .template import Template

# Fractions of a layer's channels that are measured; streams are seldom pruned.
_FRACTIONS = (1, 0.75, 0.5, 0.25, 0.125)
_STREAM_FRACTIONS = (1, 0.5, 0.25)
# Kernels work on channels in blocks of so many.
_BLOCK = 8

Widths = Mapping[str, int]


@dataclass(frozen=True)
class Grid:
    """A curve to be measured, for all segments of a kind.

    Args:
        segment: One of them.
        places: Of its layers, those whose widths change; the others have all their channels.
        axes: The widths of each, ascending, all its channels last.
        relative: Whether the curve says what these widths add to what all channels take.
        spread: Whether writers of all of a stream spread their channels over it, as narrower ones must.
    """

    segment: Segment
    places: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]
    relative: bool = False
    spread: bool = True

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(map(len, self.axes))

    def graphs(self, template: Template, full: Widths) -> Iterator[Callable[[], bytes]]:
        """What makes the segment at every point: of a large model, all of them together would fill the memory."""
        layers = [self.segment.layers[place] for place in self.places]
        for widths in itertools.product(*self.axes):
            asked = {**full, **dict(zip(layers, widths, strict=True))}
            yield partial(template.model, asked, self.segment.nodes, spread=self.spread)

    def curve(self, times: Sequence[float], whole: float) -> Curve:
        """The curve, from the milliseconds of its points and of the segment with all channels."""
        values = np.reshape(times, [len(axis) for axis in self.axes]) - (whole if self.relative else 0.0)
        return Curve(self.axes, np.round(values, 6).tolist())

    def terms(self, template: Template, segment: Segment, curve: int) -> Iterator[Term]:
        """Where the curve of a number counts in a segment of the kind.

        What is saved without spreading counts for each layer that need not do it.
        """
        if self.spread:
            yield Term(curve, tuple(segment.layers[place] for place in self.places))
            return
        pairs = list(template.spreads(segment.nodes))
        for pair in pairs:
            yield Term(curve, (), full=pair, share=1 / len(pairs))


def grids_of(template: Template, segment: Segment, config: ModelConfig) -> Iterator[Grid]:
    """The curves of a segment: over what its product reads and writes, and over every other layer alone."""
    streams = {group.name for group in config.groups_left() if group.kind == EMBEDDING}
    axes = [
        axis_of(config.widths[layer], template.heads[layer], _STREAM_FRACTIONS if layer in streams else _FRACTIONS)
        for layer in segment.layers
    ]
    yield Grid(segment, tuple(range(len(axes[:2]))), tuple(axes[:2]))
    for place in range(2, len(axes)):
        yield Grid(segment, (place,), (axes[place],), relative=True)
    if any(True for _ in template.spreads(segment.nodes)):
        yield Grid(segment, (), (), relative=True, spread=False)


def axis_of(width: int, heads: int, fractions: Sequence[float] = _FRACTIONS) -> tuple[int, ...]:
    """Widths to measure of a layer, ascending: in whole blocks, and between them, where there is such a multiple.

    Args:
        width: All channels.
        heads: Of which there is a multiple.
        fractions: Of the channels.
    """
    block = math.lcm(_BLOCK if width >= 4 * _BLOCK else ALIGNMENT, heads)
    whole = {max(block, round(width * fraction / block) * block) for fraction in fractions}
    between = {_between(int(width * fraction) - _BLOCK // 2 + 1, heads) for fraction in fractions}
    return tuple(sorted({width} | {w for w in whole | between if 0 < w < width}))


def _between(width: int, heads: int) -> int:
    """The next smaller multiple of the heads that is not aligned; 0 where there is none."""
    return next((w for w in range(width // heads * heads, 0, -heads) if w % ALIGNMENT), 0)
