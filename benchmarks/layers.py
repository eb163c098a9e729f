"""Where the time of a forward pass goes, layer by layer: the table of ``benchmarks/inference.py --layers``.

A line is a step of the engine: a convolution with the neuron and the shortcut that are computed with it, or any other
operator. Times are processor time on one thread, the fastest of several. ``rate`` is the share of what the step reads
that is not zero; ``way`` is how the engine computes it:

* ``sparse``: what is not zero is added up; ``dense``: all of it is multiplied, in the same order of sums;
* ``engine``: another kernel of the engine, or numpy; ``PyTorch``: PyTorch.

``limit`` is the time of the step's convolutions and products alone in PyTorch, see ``limit.py``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numba
import torch
from limit import processor_seconds, products
from torch import fx, nn

from primesvt.models.engine import Engine, Program
from primesvt.models.engine.activations import Frames, Plain, Spikes


@dataclass(frozen=True)
class LayerTime:
    """A line of the table.

    Args:
        name: Of the convolutions of the step, or of its operator.
        way: How it is computed.
        rate: Share of its input that is not zero; None where that is no activation.
        ms: Processor time.
        limit_ms: That of its dense products; None where it has none.
    """

    name: str
    way: str
    rate: float | None
    ms: float
    limit_ms: float | None


def layer_times(model: nn.Module, images: torch.Tensor, rounds: int) -> list[LayerTime]:
    """Every step of a model, measured so many times on a batch.

    Args:
        model: Of PrimeSVT, in evaluation mode, on the CPU.
        images: The batch.
        rounds: The fastest counts.
    """
    threads = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    try:
        engine = Engine(Program(model, tuple(images.shape)), model)
        engine(images)
        with torch.inference_mode():
            lines = list(_lines(engine, dict(model.named_modules()), images, rounds))
        times = [list(_times(engine, images)) for _ in range(rounds)]
    finally:
        torch.set_num_threads(threads[0])
        numba.set_num_threads(threads[1])
    fastest = [1e3 * min(own) for own in zip(*times, strict=True)]
    return [replace(line, ms=ms) for line, ms in zip(lines, fastest, strict=True)]


def _times(engine: Engine, images: torch.Tensor) -> Iterator[float]:
    values = engine.begin(images)
    for number in range(len(engine.program.steps)):
        yield processor_seconds(partial(engine.step, values, number))


def _lines(engine: Engine, modules: dict[str, Any], images: torch.Tensor, rounds: int) -> Iterator[LayerTime]:
    """Every step with its limit; not timed yet."""
    values = engine.begin(images)
    for number, step in enumerate(engine.program.steps):
        read = [values[node] for node in step.reads]
        calls = [call for node in step.nodes for call in _products(node, modules, read)]
        limit = sum(min(processor_seconds(call) for _ in range(rounds)) for call in calls)
        named = [branch.conv for branch in step.branches] or step.nodes
        name = ", ".join(str(node.target) if node.op == "call_module" else node.name for node in named)
        yield LayerTime(name, engine.way(values, number), _rate(*read[:1]), 0.0, 1e3 * limit if calls else None)
        engine.step(values, number)


def _products(node: fx.Node, modules: dict[str, Any], read: list[Any]) -> Iterator[Any]:
    if node.op == "call_module" and all(isinstance(x, Spikes | Frames | Plain) for x in read):
        yield from products(modules[str(node.target)], *(x.plain() for x in read))


def _rate(x: Any = None) -> float | None:
    match x:
        case Plain():
            return float(x.tensor.count_nonzero()) / max(1, x.tensor.numel())
        case Spikes() | Frames():
            return float(x.density)
    return None


def table(times: list[LayerTime]) -> str:
    """What a person reads; the steps that take a thousandth or less are summed up."""
    total = sum(line.ms for line in times)
    lines = [f"{'layer':<58}{'ms':>9}{'share':>8}{'rate':>8}  {'way':<8}{'limit ms':>9}{'of limit':>10}"]
    for line in times:
        if line.ms > total / 1000 or line.limit_ms is not None:
            rate = "" if line.rate is None else f"{line.rate:.1%}"
            limit = f"{line.limit_ms:>9.2f}{line.ms / line.limit_ms:>10.2f}" if line.limit_ms else ""
            lines.append(f"{line.name[:57]:<58}{line.ms:>9.2f}{line.ms / total:>8.1%}{rate:>8}  {line.way:<8}{limit}")
    limits = sum(line.limit_ms or 0 for line in times)
    lines.append(f"{'all':<58}{total:>9.2f}{1:>8.0%}{'':>18}{limits:>9.2f}{total / limits:>10.2f}")
    return "\n".join(line.rstrip() for line in lines)
