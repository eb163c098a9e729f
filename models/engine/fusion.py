"""From the graph to the steps of the engine, groups of nodes that one kernel computes together.

A convolution with its BatchNorm goes together with what alone reads it: a neuron, or the shortcut that it is added to,
and the neurons that read the sum. Convolutions that read the same, such as query, key and value, go together, too.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from ..layers.conv import ConvBN
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .filters import is_depthwise, why_not


@dataclass(frozen=True)
class Branch:
    """A convolution and what follows it in the same kernel.

    Args:
        conv: The convolution with its BatchNorm.
        fire: The neuron that alone reads it, or None.
        add: Where that, or the convolution, is added to a stream, or None.
        readers: The neurons that read the sum, all alike.
    """

    conv: fx.Node
    fire: fx.Node | None = None
    add: fx.Node | None = None
    readers: tuple[fx.Node, ...] = ()

    @property
    def source(self) -> fx.Node:
        """What the convolution reads."""
        return self.conv.all_input_nodes[0]

    @property
    def stream(self) -> fx.Node | None:
        """What the result is added to."""
        return None if self.add is None else self.add.all_input_nodes[1]

    @property
    def nodes(self) -> tuple[fx.Node, ...]:
        """All nodes, in their order."""
        return (self.conv, *(node for node in (self.fire, self.add) if node is not None), *self.readers)


@dataclass(frozen=True)
class FusionGroup:
    """Nodes that are computed together: the branches of a kernel, or a single node.

    Args:
        nodes: In their order.
        branches: Of convolutions that read the same; empty for any other node.
    """

    nodes: tuple[fx.Node, ...]
    branches: tuple[Branch, ...] = ()

    @property
    def reads(self) -> tuple[fx.Node, ...]:
        """Nodes of other groups that this one needs."""
        own = set(self.nodes)
        return tuple(dict.fromkeys(n for node in self.nodes for n in node.all_input_nodes if n not in own))


def fusion_groups(graph: fx.Graph, modules: Mapping[str, Any]) -> tuple[FusionGroup, ...]:
    """The groups of a graph, in an order in which each finds what it needs."""
    together: dict[tuple[object, ...], list[Branch]] = defaultdict(list)
    for node in graph.nodes:
        if (branch := _branch(node, modules)) is not None:
            conv = modules[str(node.target)].conv
            # Those with a stream of their own stay alone.
            alone = node if branch.add is not None or branch.fire is None else None
            together[branch.source, conv.kernel_size, conv.stride, alone].append(branch)
    found: dict[fx.Node, FusionGroup] = {}
    for branches in together.values():
        group = FusionGroup(tuple(node for branch in branches for node in branch.nodes), tuple(branches))
        found |= dict.fromkeys(group.nodes, group)
    ordered: dict[FusionGroup, None] = {}

    def emit(node: fx.Node) -> None:
        group = found.get(node) or FusionGroup((node,))
        if node.op != "placeholder" and group not in ordered:
            for needed in group.reads:
                emit(needed)
            ordered[group] = None

    for node in graph.nodes:
        if node.op != "output":
            emit(node)
    return tuple(ordered)


def steps_of(neuron: fx.Node) -> int | None:
    """How many steps a neuron is told that it has; None where its current says it."""
    steps = neuron.args[1] if len(neuron.args) > 1 else neuron.kwargs.get("steps")
    return steps if isinstance(steps, int) else None


def _branch(node: fx.Node, modules: Mapping[str, Any]) -> Branch | None:
    if _kind(node, modules) is not ConvBN:
        return None
    conv = modules[str(node.target)].conv
    if is_depthwise(conv) or why_not(conv) is not None:
        return None
    fire = _only_user(node, modules, LIFNode)
    if fire is not None and len(fire.all_input_nodes) > 1:
        fire = None  # It is told its steps when it runs.
    last = fire or node
    add = _only_user(last, modules, StreamIndex)
    if add is None or len(add.args) < 2 or add.args[0] is not last or add.kwargs:
        return Branch(node, fire)
    if fire is not None:
        return Branch(node, fire, add)
    readers = [user for user in add.users if _kind(user, modules) is LIFNode]
    alike = {(modules[str(r.target)].tau, modules[str(r.target)].v_threshold) for r in readers}
    return Branch(node, None, add, tuple(readers) if len(alike) == 1 else ())


def _kind(node: fx.Node, modules: Mapping[str, Any]) -> type[nn.Module] | None:
    return type(modules[str(node.target)]) if node.op == "call_module" else None


def _only_user(node: fx.Node, modules: Mapping[str, Any], kind: type[nn.Module]) -> fx.Node | None:
    users = list(node.users)
    return users[0] if len(users) == 1 and _kind(users[0], modules) is kind else None
