"""The dense arithmetic of a layer, and nothing else: what is needed where every zero is multiplied, too.

Convolutions and matrix products alone, BatchNorm folded, each in the faster of PyTorch's two memory formats, on tensors
of the same shapes as the layer's.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from primesvt.models import SelfAttention
from primesvt.models.layers.conv import ConvBN
from primesvt.models.layers.rep_conv import RepConv

Call = Callable[[], Any]


def seconds(call: Call) -> float:
    """Time of a call, on a CUDA device until it has finished."""
    started = time.perf_counter()
    with torch.inference_mode():
        call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def processor_seconds(call: Call) -> float:
    """Processor time of a call: what else runs on the machine matters less to it."""
    started = time.process_time()
    with torch.inference_mode():
        call()
    return time.process_time() - started


class Limit:
    """The dense arithmetic of a model.

    Args:
        model: Of PrimeSVT, in evaluation mode.
        images: A batch; it tells the shapes.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor) -> None:
        self._calls: list[Call] = []
        hooks = [
            module.register_forward_pre_hook(lambda module, inputs: self._calls.extend(products(module, *inputs)))
            for module in model.modules()
            if isinstance(module, ConvBN | SelfAttention | nn.Linear)
        ]
        with torch.inference_mode():
            model(images)
        for hook in hooks:
            hook.remove()

    def __call__(self) -> None:
        """Do all of it."""
        for call in self._calls:
            call()


def products(module: nn.Module, *inputs: torch.Tensor) -> Iterator[Call]:
    """The products of a layer, ready to be done; none where there are none.

    Args:
        module: The layer.
        inputs: What it reads, which tells the shapes.
    """
    x, *_ = inputs
    match module:
        case ConvBN():
            yield _convolution(module.conv, x.flatten(0, 1))
        case RepConv():
            frames = x.flatten(0, 1)
            # The one in the middle reads a border of one pixel.
            for conv, border in ((module.inner.conv, 0), (module.depthwise, 2), (module.outer.conv, 0)):
                height, width = (side + border for side in frames.shape[2:])
                yield _convolution(conv, torch.empty(len(frames), conv.in_channels, height, width))
        case nn.Conv2d():
            yield _convolution(module, x)
        case SelfAttention():
            q, k, v = (torch.randn_like(part.flatten(3).unflatten(2, (module.heads, -1))) for part in inputs)
            yield lambda: (v @ k.transpose(-2, -1)) @ q
        case nn.Linear():
            values = torch.randn_like(x)
            yield lambda: F.linear(values, module.weight, module.bias)


def _convolution(conv: nn.Conv2d, frames: torch.Tensor) -> Call:
    """The faster of two memory formats; a folded BatchNorm leaves a bias."""
    calls = []
    bias = torch.randn(conv.out_channels, device=frames.device)
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn_like(frames).contiguous(memory_format=layout)
        weight = conv.weight.detach().contiguous(memory_format=layout)
        options = {"stride": conv.stride, "padding": conv.padding, "groups": conv.groups}
        calls.append(lambda x=x, w=weight, options=options: F.conv2d(x, w, bias, **options))
    return min(calls, key=lambda call: min(seconds(call) for _ in range(3)))
