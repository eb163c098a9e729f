"""The forward pass of a model as a graph, traced once with torch.fx.

The graph names modules and holds no weights, so that it serves every pruned version of its model. Our own layers are
nodes as they are; whatever else a family does, such as a sum or a product, is a node, too. Control flow is followed for
what the images are: static, or a sequence of events.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from ..families.spiking_block import SelfAttention
from ..layers.conv import ConvBN, MaxPool
from ..layers.neuron import LIFNode
from ..layers.rep_conv import RepConv
from ..layers.stream_index import StreamIndex

_LAYERS = (ConvBN, LIFNode, MaxPool, RepConv, SelfAttention, StreamIndex)


# While torch.fx traces, it replaces how every module of the process is called: one trace at a time.
_TRACING = threading.Lock()


class _Images(fx.Proxy):
    """The images of a forward pass, of which number of dimensions and of time steps are known."""

    def __init__(self, node: fx.Node, tracer: fx.Tracer, shape: tuple[int, ...]) -> None:
        super().__init__(node, tracer)
        self.shape = shape
        self.ndim = len(shape)


class _Tracer(fx.Tracer):
    """Follows the thread that it was made in; what other threads do with modules meanwhile is no part of the graph."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._images = shape
        self._thread = threading.get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return super().call_module(m, forward, args, kwargs) if self._is_mine else forward(*args, **kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        return super().getattr(attr, attr_val, parameter_proxy_cache) if self._is_mine else attr_val

    @property
    def _is_mine(self) -> bool:
        return threading.get_ident() == self._thread

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Images(node, self, self._images) if node.op == "placeholder" else super().proxy(node)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, _LAYERS) or super().is_leaf_module(module, name)


def trace(model: nn.Module, shape: tuple[int, ...]) -> fx.Graph:
    """The graph of a model that reads images of this shape; the number of images does not matter.

    Raises:
        Exception: Whatever torch.fx raises where the forward pass does what cannot be traced.
    """
    # As in inference: what a layer does for training alone is no part of it.
    with torch.no_grad(), _TRACING:
        graph = _Tracer(shape).trace(model)
    modules = dict(model.named_modules())
    for node in list(graph.nodes):
        if node.op == "call_module" and isinstance(modules[str(node.target)], nn.Identity):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    for node in reversed(graph.nodes):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)
    return graph


def interpret(node: fx.Node, arguments: tuple[Any, ...], keywords: dict[str, Any], modules: Mapping[str, Any]) -> Any:
    """What a node returns, computed by PyTorch."""
    if node.op == "call_module":
        return modules[str(node.target)](*arguments, **keywords)
    if node.op == "call_method":
        receiver, *others = arguments
        return getattr(receiver, str(node.target))(*others, **keywords)
    if node.op == "get_attr":
        owner, _, name = str(node.target).rpartition(".")
        return getattr(modules[owner], name)
    return node.target(*arguments, **keywords)  # type: ignore[operator]
