"""How the engine computes a node of the graph on spikes as bits; what is not here is left to PyTorch."""

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ..layers.conv import MaxPool
from ..layers.neuron import LIFNode
from ..layers.stream_index import StreamIndex
from .activations import Activation, Frames, Plain, Spikes
from .spike_conv import Neuron
from .spike_ops import count, fire, max_pool
from .weighted import run_of

# Takes the arguments and the keywords of a node; returns None where PyTorch must do.
Layer = Callable[[tuple[Any, ...], Mapping[str, Any]], Activation | torch.Size | None]


def neuron_of(module: LIFNode) -> Neuron:
    """The constants of a neuron."""
    return Neuron(float(module.tau), float(module.v_threshold))


def _fire(module: LIFNode, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Activation | None:
    x, steps = (*arguments, keywords.get("steps"))[:2]
    match x:
        case Frames():
            return fire(x, neuron_of(module), steps or x.shape[0])
        case Plain() if x.tensor.ndim == 5:
            return fire(x, neuron_of(module), steps or x.tensor.shape[0])
    return None


def _pool(_module: MaxPool, arguments: tuple[Any, ...], _keywords: Mapping[str, Any]) -> Activation | None:
    (x,) = arguments
    return None if isinstance(x, Plain) else max_pool(x)


def _spread(module: StreamIndex, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Activation | None:
    if len(arguments) > 1 or keywords or isinstance(arguments[0], Plain):
        return None
    (x,) = arguments
    if module.channels is None:
        return x  # type: ignore[no-any-return]
    values = np.zeros((*x.shape[:4], module.stream), np.float32)
    values[..., module.channels.long().numpy()] = x.frames().values
    return Frames(values)


def _expand(arguments: tuple[Any, ...], _keywords: Mapping[str, Any]) -> Activation | None:
    x, steps, *others = arguments
    # What has its T steps already stays as it is.
    as_it_is = isinstance(x, Spikes | Frames) and x.shape[0] == steps and others == [-1] * 4
    return x if as_it_is else None


def _mask(arguments: tuple[Any, ...], _keywords: Mapping[str, Any]) -> Activation | None:
    match arguments:
        case (Spikes(), Spikes()):
            one, other = arguments
            return Spikes(np.bitwise_and(one.bits, other.bits), one.channels)
        case (Frames(), float()):
            one, factor = arguments
            return Frames(one.values * np.float32(factor))
    return None


def _sum(arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Activation | None:
    over_positions = keywords == {"dim": (-2, -1), "keepdim": True}
    return count(arguments[0]) if over_positions and isinstance(arguments[0], Spikes) else None


def _mean(arguments: tuple[Any, ...], _keywords: Mapping[str, Any]) -> Activation:
    """One after the other in float64, then divided, and rounded to float32."""
    x, dim = arguments
    parts = np.moveaxis(x.plain().numpy(), dim, 0)
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total += part
    return Plain(torch.from_numpy((total / len(parts)).astype(np.float32)))


def _attribute(arguments: tuple[Any, ...], _keywords: Mapping[str, Any]) -> Any:
    """The shape that PyTorch's modules see; no spike is looked at."""
    x, name = arguments
    if name != "shape" or isinstance(x, Plain):
        return None
    t, images, height, width, channels = x.shape
    return torch.Size((t, images, channels, height, width))


def averages(node: fx.Node) -> bool:
    """Whether a mean is one along a single dimension, which the engine computes."""
    return len(node.args) == 2 and isinstance(node.args[1], int) and not node.kwargs


def _weighted(run: Callable[[Activation], Activation]) -> Layer:
    return lambda arguments, _keywords: run(*arguments)


_BY_MODULE: Mapping[type[nn.Module], Callable[..., Activation | None]] = {
    LIFNode: _fire,
    MaxPool: _pool,
    StreamIndex: _spread,
}
_BY_FUNCTION: Mapping[Any, Layer] = {operator.mul: _mask, getattr: _attribute, "sum": _sum, "expand": _expand}


def layer_of(node: fx.Node, modules: Mapping[str, Any]) -> Layer | None:
    """How the engine computes a node with the weights of these modules, or None."""
    if node.op != "call_module":
        return _mean if node.target == "mean" and averages(node) else _BY_FUNCTION.get(node.target)
    module = modules[str(node.target)]
    if (run := run_of(module)) is not None:
        return _weighted(run)
    layer = _BY_MODULE.get(type(module))
    return None if layer is None else partial(layer, module)
