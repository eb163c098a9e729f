"""Measuring a table: every kind of segment at a grid of widths, and a few whole models."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from primesvt.models import EMBEDDING, ModelConfig

from ..tell import Tell
from .grid import Grid, Widths, grids_of
from .segments import Segment, segments
from .stopwatch import Stopwatch, in_turn
from .table import Curve, LatencyTable, Term
from .template import Template

# Rounds over everything: of each time, the least of all rounds counts.
_ROUNDS = 3
# Whole models that the constant and the scale are fitted to.
_WHOLES = 16


def build_table(config: ModelConfig, machine: str, on_timed: Tell = lambda _done, _total: None) -> LatencyTable:
    """Measure a table for all models of a structure. That takes a minute or a few, the export included.

    Args:
        config: Of the unpruned model.
        machine: What the table says of where it was measured.
        on_timed: Called with the number of timings done, and of all.

    Raises:
        PrimeSVTError: The model cannot be exported.
    """
    return table_of(Template.of(config), config, machine, on_timed)


def table_of(template: Template, config: ModelConfig, machine: str, on_timed: Tell) -> LatencyTable:
    """As :func:`build_table`, from the exported graph."""
    full = dict(config.widths)
    alike: dict[tuple[object, ...], list[Segment]] = {}
    for segment in segments(template, full):
        alike.setdefault(segment.kind, []).append(segment)
    grids = {kind: list(grids_of(template, found[0], config)) for kind, found in alike.items()}
    wholes = [full, *_drawn(config, _WHOLES - 1)]
    graphs = [graph for kind in grids.values() for grid in kind for graph in grid.graphs(template, full)]
    parts, times = _least(graphs, [template.model(widths) for widths in wholes], on_timed)
    curves, terms = _curves(template, grids, alike, iter(parts))
    return _fitted(LatencyTable(machine=machine, curves=curves, terms=terms), wholes, times)


def _curves(
    template: Template,
    grids: Mapping[tuple[object, ...], Sequence[Grid]],
    alike: Mapping[tuple[object, ...], Sequence[Segment]],
    times: Iterator[float],
) -> tuple[tuple[Curve, ...], tuple[Term, ...]]:
    """All curves, and where they count, from the times of their points in their order."""
    curves: list[Curve] = []
    terms: list[Term] = []
    for kind, own in grids.items():
        taken = [list(itertools.islice(times, grid.size)) for grid in own]
        for grid, each in zip(own, taken, strict=True):
            terms += [term for segment in alike[kind] for term in grid.terms(template, segment, len(curves))]
            # The last point of the first grid is the segment with all channels.
            curves.append(grid.curve(each, whole=taken[0][-1]))
    return tuple(curves), tuple(terms)


def _drawn(config: ModelConfig, count: int) -> Iterator[Widths]:
    """Models to fit to: some nearly whole, some small, streams as they are."""
    rng = np.random.default_rng(0)
    for number in range(count):
        least = 1 - (number + 1) / count
        widths = dict(config.widths)
        for group in config.groups_left():
            if group.kind != EMBEDDING:
                each = config.widths[group.name] // group.heads
                widths[group.name] = group.heads * max(1, round(each * rng.uniform(least, 1)))
        yield widths


def _least(
    parts: Sequence[Callable[[], bytes]], wholes: Iterable[bytes], on_timed: Tell
) -> tuple[list[float], list[float]]:
    """Milliseconds of every graph, the least of some rounds over all of them; of whole ones, of more runs in turn."""
    part_times, rows = np.full(len(parts), np.inf), []
    watches = [Stopwatch(graph) for graph in wholes]
    for row in range(_ROUNDS):
        for place, graph in enumerate(parts):
            part_times[place] = min(part_times[place], Stopwatch(graph()).milliseconds())
            on_timed(row * len(parts) + place + 1, _ROUNDS * len(parts))
        rows.append(in_turn(watches))
    return part_times.tolist(), np.min(rows, axis=0).tolist()


def _fitted(table: LatencyTable, wholes: Sequence[Widths], times: Sequence[float]) -> LatencyTable:
    """The table with the constant and the scale that tell whole models best, by the squares of relative errors."""
    parts, taken = np.array([table.parts(widths) for widths in wholes]), np.array(times)
    design = np.stack([np.ones_like(parts), parts], 1) / taken[:, None]
    (constant, scale), *_ = np.linalg.lstsq(design, np.ones_like(taken), rcond=None)
    fitted = replace(table, constant=float(constant), scale=float(scale))
    told = np.array([fitted.milliseconds(widths) for widths in wholes])
    return replace(fitted, error=float(np.abs(told / taken - 1).mean()))
