"""What of a forward pass the engine leaves to PyTorch, by name, with the reason.

It leaves it what adds up nothing, such as an addition of two tensors or a largest value, and sums of whole numbers that
float32 holds exactly: PyTorch's answers to these are the same on every processor, too. Whatever else it leaves is named
here, as PyTorch adds up in an order of its own, which depends on the processor.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from ..families.spiking_block import SelfAttention
from ..layers.conv import MaxPool
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .kinds import Kind, kinds_of, named
from .operators import averages
from .weighted import WEIGHTED, reason_of


@dataclass(frozen=True)
class LeftOut:
    """Something that PyTorch computes.

    Args:
        layer: Its name.
        reason: Why it does.
    """

    layer: str
    reason: str

    def __str__(self) -> str:
        """For a person."""
        return f"{self.layer}: {self.reason}"


_SAME = frozenset({LIFNode, MaxPool, StreamIndex, operator.add, operator.mul, operator.truediv, operator.getitem})
_SAME |= {getattr, "expand", "flatten", "unflatten", "unsqueeze"}
_WHOLE = frozenset({SelfAttention, "sum"})


def left_out(graph: fx.Graph, modules: Mapping[str, Any]) -> tuple[LeftOut, ...]:
    """What PyTorch computes of a forward pass in an order of its own.

    Args:
        graph: The forward pass.
        modules: Of the model, by name; their weights do not matter.
    """
    kinds, _ = kinds_of(graph, modules)
    found = {node: _reason(node, modules, kinds) for node in graph.nodes if node.op not in ("placeholder", "output")}
    return tuple(LeftOut(named(node, modules), reason) for node, reason in found.items() if reason is not None)


def _reason(node: fx.Node, modules: Mapping[str, Any], kinds: Mapping[fx.Node, Kind]) -> str | None:
    module: nn.Module | None = modules[str(node.target)] if node.op == "call_module" else None
    what = node.target if module is None else type(module)
    if what in _SAME or (what == "mean" and averages(node)):
        return None
    if module is not None and what in WEIGHTED:
        return reason_of(module)
    if what in _WHOLE:
        whole = all(kinds[source] is not Kind.REAL for source in node.all_input_nodes)
        return None if whole else "it adds up what are no whole numbers"
    return "the engine does not know it"
