"""In which order PyTorch's convolution on this machine adds up, found out by experiment.

Sums of floats depend on their order. PyTorch's CPU convolutions (oneDNN) add the channels of a block, then go to the
next tap of the filter, then to the next block; 1x1 convolutions sum up runs of channels on their own. How long blocks
and runs are depends on the instruction set, the shape and the number of threads. So every shape is tried, with every
second input firing, until all sums agree bit for bit. Where none does, there is no order to tell, and the engine leaves
that layer to PyTorch.
"""

import functools
from typing import Literal

import torch
from torch import nn

from ..layers.norm import affine
from .activations import Plain
from .spike_conv import Order, SpikeConv

_SPANS, _CHUNKS = (1, 2), (128, 0, 256, 64, 192, 512)
_BIASES: tuple[Literal["begun", "first", "last"], ...] = ("begun", "first", "last")
# From 16 frames on, or 2 where the filter is larger than 1x1, PyTorch uses oneDNN on one thread, too: use_mkldnn in
# ATen's Convolution.cpp.
_FRAMES_1X1, _FRAMES = 16, 2


def order_of(conv: nn.Conv2d, height: int, width: int, *, weighted: bool) -> Order | None:
    """The order of a convolution of ``[many, C, height, width]``, or None where it is not to be told.

    A few frames PyTorch may convolve in another order on one thread; the engine keeps to that of many, so that its
    answer to an image does not depend on how many others are asked with it.

    Args:
        conv: The convolution; its weights do not matter.
        height: Of the input.
        width: Of the input.
        weighted: Whether the input is floats; otherwise spikes.
    """
    (kernel, other), (stride, _) = conv.kernel_size, conv.stride
    usual = kernel == other and conv.padding == (kernel // 2, kernel // 2) and conv.dilation == (1, 1)
    if not usual or conv.groups != 1 or kernel % 2 == 0 or conv.padding_mode != "zeros":
        return None
    shape = (conv.out_channels, conv.in_channels, int(kernel), int(stride), conv.bias is not None)
    frames = _FRAMES_1X1 if kernel == 1 else _FRAMES
    return _order(shape, (frames, height, width), weighted, torch.get_num_threads())


@functools.lru_cache(maxsize=4096)
def _order(
    shape: tuple[int, int, int, int, bool], size: tuple[int, int, int], weighted: bool, _threads: int
) -> Order | None:
    outputs, inputs, kernel, stride, bias = shape
    draw = torch.Generator().manual_seed(0)
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)
    conv.weight = nn.Parameter(torch.randn(conv.weight.shape, generator=draw), requires_grad=False)
    if conv.bias is not None:
        conv.bias = nn.Parameter(torch.randn(outputs, generator=draw), requires_grad=False)
    x = torch.randint(0, 4 if weighted else 2, (size[0], inputs, *size[1:]), generator=draw).float()
    with torch.inference_mode():
        expected = conv(x)
    frames = Plain(x.unsqueeze(0)).frames()
    one, zero = torch.ones(outputs), torch.zeros(outputs)
    given = frames if weighted else frames.spikes()
    for order in _candidates(kernel, bias):
        found = SpikeConv([conv], [one], [zero], order).frames(given).plain()[0]
        if torch.equal(found, expected):
            return order
    return None


def _candidates(kernel: int, bias: bool) -> list[Order]:
    chunks = _CHUNKS if kernel == 1 else (0,)
    spans = _SPANS if kernel > 1 else (1,)
    biases = _BIASES if bias else _BIASES[:1]
    return [Order(span, chunk, place) for chunk in chunks for span in spans for place in biases]


@functools.cache
def norm_is_fused() -> bool | None:
    """Whether PyTorch's BatchNorm multiplies and adds in one rounding; None where it does neither that nor two."""
    draw = torch.Generator().manual_seed(0)
    norm = nn.BatchNorm2d(16).eval()
    norm.running_mean = torch.randn(16, generator=draw)
    norm.running_var = torch.rand(16, generator=draw) + 0.1
    x = torch.randn((4, 16, 7, 7), generator=draw)
    factor, summand = (values.view(1, -1, 1, 1) for values in affine(norm))
    with torch.inference_mode():
        expected = norm(x)
    if torch.equal(expected, x * factor + summand):
        return False
    # The product of two floats is a double exactly, and the sum nearly always rounds to float32 as if it were.
    close = (x.double() * factor.double() + summand.double()).float()
    return True if torch.equal(expected, close) else None
