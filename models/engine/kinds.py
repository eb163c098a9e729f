"""What flows along a graph: spikes, sums of spikes, or any other numbers; told from its operators alone.

No value is looked at: a layer that happens to write whole numbers for some image is none that writes spikes.
"""

import operator
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from torch import fx, nn

from ..families.spiking_block import SelfAttention
from ..layers.conv import ConvBN, MaxPool
from ..layers.neuron import LIFNode
from ..layers.rep_conv import RepConv
from ..layers.stream_index import StreamIndex


class Kind(IntEnum):
    """What a tensor holds; of two kinds, the larger one holds either."""

    SPIKES = 0  # 0 or 1
    COUNTS = 1  # whole numbers: that many spikes
    REAL = 2


# Of a node whose inputs hold these kinds; what else it is given are constants.
Rule = Callable[[fx.Node, tuple[Kind, ...]], Kind]


def _spikes(_node: fx.Node, _read: tuple[Kind, ...]) -> Kind:
    return Kind.SPIKES


def _real(_node: fx.Node, _read: tuple[Kind, ...]) -> Kind:
    return Kind.REAL


def _same(_node: fx.Node, read: tuple[Kind, ...]) -> Kind:
    return max(read)


def _sum(_node: fx.Node, read: tuple[Kind, ...]) -> Kind:
    return max(Kind.COUNTS, *read)


def _added(node: fx.Node, read: tuple[Kind, ...]) -> Kind:
    return _sum(node, read) if len(read) > 1 else _same(node, read)


def _product(node: fx.Node, read: tuple[Kind, ...]) -> Kind:
    return _same(node, read) if len(read) == len(node.args) else Kind.REAL


_BY_MODULE: Mapping[type[nn.Module], Rule] = {
    LIFNode: _spikes,
    ConvBN: _real,
    RepConv: _real,
    nn.Conv2d: _real,
    nn.Linear: _real,
    MaxPool: _same,
    SelfAttention: _sum,
    # Alone, it spreads a layer over the stream, or gathers some of its channels; of two, it adds one to the other.
    StreamIndex: _added,
}
_BY_FUNCTION: Mapping[Any, Rule] = {
    operator.mul: _product,
    operator.add: _added,
    operator.truediv: _real,
    operator.getitem: _same,
    getattr: _same,
    "sum": _sum,
    "mean": _real,
    **dict.fromkeys(("expand", "flatten", "unflatten", "unsqueeze"), _same),
}


def kinds_of(graph: fx.Graph, modules: Mapping[str, Any]) -> tuple[Mapping[fx.Node, Kind], tuple[str, ...]]:
    """The kind of everything that a graph computes, and the operators that are not known, each named with its place.

    What an unknown operator writes is taken for real numbers. Images and event frames are, too.
    """
    kinds: dict[fx.Node, Kind] = {}
    unknown: list[str] = []
    for node in graph.nodes:
        if node.op == "output":
            continue
        module = modules[str(node.target)] if node.op == "call_module" else None
        rule = _BY_FUNCTION.get(node.target) if module is None else _BY_MODULE.get(type(module))
        # All arguments, also those that are the same.
        read = tuple(kinds[source] for source in (*node.args, *node.kwargs.values()) if isinstance(source, fx.Node))
        if rule is not None and read:
            kinds[node] = rule(node, read)
            continue
        kinds[node] = Kind.REAL
        if node.op != "placeholder":
            unknown.append(named(node, modules))
    return kinds, tuple(unknown)


def named(node: fx.Node, modules: Mapping[str, Any]) -> str:
    """An operator and its place, for a person."""
    if node.op == "call_module":
        return f"{type(modules[str(node.target)]).__name__} ({node.target})"
    return f"{getattr(node.target, '__name__', node.target)} ({node.name})"
