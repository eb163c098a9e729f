"""Where a forward pass does work, and how much of it follows from what is read there.

Counted are the layers that have weights, products of spikes in attention, and sums of spikes. BatchNorm is part of the
convolution in front of it, as on any device; neurons, pooling, masking of spikes by spikes, shortcuts and means are
no synapses. Operators that are not known are named, see :func:`~primesvt.models.engine.kinds.kinds_of`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import fx, nn

from ..families.spiking_block import SelfAttention
from ..layers.conv import ConvBN
from ..layers.rep_conv import RepConv
from .kinds import Kind, kinds_of
from .probes import Attended, Dense, Driven, Probe, Window


@dataclass(frozen=True)
class Reading:
    """What is counted of what is read, whatever the weights are; several layers may share it.

    Args:
        sources: What is read.
        probe: What counts.
    """

    sources: tuple[fx.Node, ...]
    probe: Probe

    def __hash__(self) -> int:
        # Asked several times a step; that of all that is in it takes longer than to count a small layer.
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.sources, self.probe))

    def count(self, values: Mapping[fx.Node, Any], images: int) -> np.ndarray:
        """What the probe counts of so many images, float64 ``[3, T, N]``."""
        return self.probe([values[source] for source in self.sources], images)


@dataclass(frozen=True)
class Synapses:
    """The work of one layer.

    Args:
        layer: Its name.
        node: Where it is done.
        reading: What drives it.
        row: Operations per use: weights in a row for spikes, the multiplications of a window for real numbers.
        spiking: Whether spikes are read: then an operation is an addition, otherwise a multiplication with one.
    """

    layer: str
    node: fx.Node
    reading: Reading
    row: int
    spiking: bool


def synapses_of(graph: fx.Graph, modules: Mapping[str, Any]) -> tuple[tuple[Synapses, ...], tuple[str, ...]]:
    """All synapses of a model in the order of its forward pass, and the operators that are not known.

    Args:
        graph: The forward pass.
        modules: Of the model, pruned or not, by name.
    """
    kinds, unknown = kinds_of(graph, modules)
    found: list[Synapses] = []
    for node in graph.nodes:
        if node.op == "call_module":
            layers = _BY_MODULE.get(type(modules[str(node.target)]))
            found += [] if layers is None else layers(node, modules[str(node.target)], kinds)
        elif node.target == "sum" and kinds[node.args[0]] is not Kind.REAL:
            found.append(
                Synapses(f"{_origin(node, modules)} summed", node, Reading((node.args[0],), Driven()), 1, True)
            )
    return tuple(found), unknown


def _origin(node: fx.Node, modules: Mapping[str, Any]) -> str:
    """Names of the layers whose spikes come to a node."""
    names: dict[str, None] = {}
    nodes = list(node.all_input_nodes)
    while nodes:
        source = nodes.pop(0)
        if source.op == "call_module" and isinstance(modules[str(source.target)], ConvBN | RepConv):
            names[str(source.target)] = None
        else:
            nodes += source.all_input_nodes
    return " * ".join(names)


def _windows(conv: nn.Conv2d) -> tuple[Window, Window]:
    rows, columns = (
        Window(conv.kernel_size[side], conv.stride[side], int(conv.padding[side]), conv.dilation[side])
        for side in (0, 1)
    )
    return rows, columns


def _conv(layer: str, node: fx.Node, conv: nn.Conv2d, kinds: Mapping[fx.Node, Kind]) -> Synapses:
    (source,) = node.all_input_nodes
    spiking = kinds[source] is not Kind.REAL
    # A spike meets the filters of its group, once for every window; a window, all of its weights.
    row = conv.out_channels // conv.groups if spiking else conv.weight.numel()
    probe: Probe = Driven(*_windows(conv)) if spiking else Dense(*_windows(conv))
    return Synapses(layer, node, Reading((source,), probe), row, spiking)


def _conv_bn(node: fx.Node, module: ConvBN, kinds: Mapping[fx.Node, Kind]) -> Iterator[Synapses]:
    yield _conv(str(node.target), node, module.conv, kinds)


def _plain_conv(node: fx.Node, module: nn.Conv2d, kinds: Mapping[fx.Node, Kind]) -> Iterator[Synapses]:
    yield _conv(str(node.target), node, module, kinds)


def _linear(node: fx.Node, module: nn.Linear, kinds: Mapping[fx.Node, Kind]) -> Iterator[Synapses]:
    (source,) = node.all_input_nodes
    spiking = kinds[source] is not Kind.REAL
    row, probe = (module.out_features, Driven()) if spiking else (module.weight.numel(), Dense())
    yield Synapses(str(node.target), node, Reading((source,), probe), row, spiking)


def _rep_conv(node: fx.Node, module: RepConv, kinds: Mapping[fx.Node, Kind]) -> Iterator[Synapses]:
    """Its three convolutions as they stand, not folded into one: the latter two read what is no spike."""
    yield _conv(f"{node.target}.inner", node, module.inner.conv, kinds)
    # The border that the second one reads is its input, so every pixel has a window.
    for name, conv in (("depthwise", module.depthwise), ("outer", module.outer.conv)):
        reading = Reading((node.all_input_nodes[0],), Dense())
        yield Synapses(f"{node.target}.{name}", node, reading, conv.weight.numel(), spiking=False)


def _attention(node: fx.Node, module: SelfAttention, _kinds: Mapping[fx.Node, Kind]) -> Iterator[Synapses]:
    sources: Any = node.args
    yield Synapses(str(node.target), node, Reading(tuple(sources), Attended(module.heads)), 1, spiking=True)


_BY_MODULE: Mapping[type[nn.Module], Callable[[fx.Node, Any, Mapping[fx.Node, Kind]], Iterator[Synapses]]] = {
    ConvBN: _conv_bn,
    RepConv: _rep_conv,
    nn.Conv2d: _plain_conv,
    nn.Linear: _linear,
    SelfAttention: _attention,
}
