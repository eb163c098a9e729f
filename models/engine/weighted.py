"""The layers that weigh what they add up, as the engine computes them alone; in front of a neuron they are fused."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..layers.conv import ConvBN
from ..layers.rep_conv import RepConv
from .activations import Activation, Frames, Plain, Spikes
from .depthwise import Depthwise
from .filters import Filters, is_depthwise, why_not
from .spike_conv import SpikeConv

Run = Callable[[Activation], Activation]


def sequence_of(x: Activation) -> Spikes | Frames:
    """What our kernels read; of :class:`Plain`, ``[T, N, C, H, W]``."""
    return x.frames() if isinstance(x, Plain) else x


def run_of(module: nn.Module) -> Run | None:
    """How the engine computes such a layer with these weights, or None."""
    make = _BY_MODULE.get(type(module))
    return None if make is None or reason_of(module) is not None else make(module)


def reason_of(module: nn.Module) -> str | None:
    """Why the engine does not compute a layer that it would compute with other filters."""
    conv = module.conv if isinstance(module, ConvBN) else module
    return why_not(conv) if isinstance(conv, nn.Conv2d) else None


def _filtering(filters: Filters, *, depthwise: bool) -> Run:
    if depthwise:
        return Depthwise(filters)
    conv = SpikeConv([filters])
    return lambda x: conv.frames(sequence_of(x))


def _conv_bn(module: ConvBN) -> Run:
    return _filtering(Filters.of(module.conv, module.bn), depthwise=is_depthwise(module.conv))


def _conv(module: nn.Conv2d) -> Run:
    run = _filtering(Filters.of(module), depthwise=is_depthwise(module))
    return lambda x: Plain(run(Plain(x.plain().unsqueeze(0))).plain()[0])


def _linear(module: nn.Linear) -> Run:
    conv = SpikeConv([Filters.of(module)])

    def run(x: Activation) -> Activation:
        read = x.plain()
        frames = Plain(read.reshape(1, -1, read.shape[-1], 1, 1)).frames()
        return Plain(torch.from_numpy(conv.frames(frames).values).view(*read.shape[:-1], -1))

    return run


def _rep_conv(module: RepConv) -> Run:
    """Its border is what BatchNorm makes of zero: the summand."""
    filters = Filters.of(module.inner.conv, module.inner.bn)
    inner, depthwise = SpikeConv([filters]), Depthwise(Filters.of(module.depthwise), filters.shift)
    outer = SpikeConv([Filters.of(module.outer.conv, module.outer.bn, module.norm)])
    return lambda x: outer.frames(depthwise(inner.frames(sequence_of(x))))


_BY_MODULE: Mapping[type[nn.Module], Callable[[Any], Run]] = {
    ConvBN: _conv_bn,
    RepConv: _rep_conv,
    nn.Conv2d: _conv,
    nn.Linear: _linear,
}
WEIGHTED = frozenset(_BY_MODULE)
