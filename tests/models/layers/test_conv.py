"""Convolutions, pooling and means over frames: PyTorch's numbers, and its memory formats."""

import pytest
import torch
from torch import nn

from primesvt.models import ConvBN, MaxPool
from primesvt.models.layers.conv import FrameConv, frame_mean

from .convolutions import conv, spikes


@pytest.mark.parametrize("kernel", [1, 3])
def test_inference_is_pytorchs_bit_for_bit(kernel: int) -> None:
    layer, frames = conv(16, 24, kernel, bias=True), spikes((4, 16, 7, 7), 0.1)
    with torch.no_grad():
        y = layer(frames)
        assert torch.equal(y, nn.functional.conv2d(frames, layer.weight, layer.bias, padding=kernel // 2))
    assert y.is_contiguous()


def test_weights_are_drawn_as_pytorch_does_where_there_is_memory_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for kind in (FrameConv, nn.Conv2d):
        torch.manual_seed(0)
        made.append(kind(16, 24, 3))
    assert all(torch.equal(one, other) for one, other in zip(*(m.parameters() for m in made), strict=True))
    monkeypatch.setattr(nn.Conv2d, "reset_parameters", lambda _conv: pytest.fail("there is nothing to draw into"))
    with torch.device("meta"):
        layer = FrameConv(16, 24, 3)
    assert all(parameter.is_meta for parameter in layer.parameters())


@pytest.mark.parametrize(("kernel", "stride", "depthwise"), [(1, 2, False), (3, 2, False), (3, 1, True), (3, 2, True)])
@pytest.mark.parametrize(("channels", "side"), [(4, 16), (8, 7)])
def test_strides_and_depthwise_filters(
    way: float, kernel: int, stride: int, depthwise: bool, channels: int, side: int
) -> None:
    """The first size is one of those at which the gradient of PyTorch's own kernel corrupts memory; see FrameConv."""
    layer = FrameConv(
        channels, 8, kernel, stride=stride, padding=kernel // 2, groups=channels if depthwise else 1, bias=False
    )
    frames = spikes((4, channels, side, side), 0.3).requires_grad_()
    y, expected = (
        layer(frames),
        nn.functional.conv2d(frames, layer.weight, stride=stride, padding=kernel // 2, groups=layer.groups),
    )
    torch.testing.assert_close(y, expected)
    grad = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    for _ in range(5):
        ours = torch.autograd.grad(y, [frames, layer.weight], grad, retain_graph=True)
    for each, other in zip(ours, torch.autograd.grad(expected, [frames, layer.weight], grad), strict=True):
        torch.testing.assert_close(each, other, rtol=1e-4, atol=1e-5)


def is_channels_last(x: torch.Tensor) -> bool:
    frames = x.flatten(0, 1)
    return frames.is_contiguous(memory_format=torch.channels_last) and not frames.is_contiguous()


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_are_last_in_training_alone(way: float, channels: int) -> None:
    """Also behind a single channel, of which the memory format tells nothing."""
    layer, pool, x = ConvBN(channels, 6, 3), MaxPool(), spikes((2, 3, channels, 8, 8), 0.3)
    for module in (layer, nn.Sequential(layer, pool)):
        assert is_channels_last(module(x))
        with torch.no_grad():
            assert module(x).is_contiguous()
    y = layer(x).detach().requires_grad_()
    (grad,) = torch.autograd.grad(frame_mean(y, training=True).square().sum(), y)
    assert is_channels_last(grad)


def test_the_mean_of_a_frame_is_the_same_in_training() -> None:
    x = torch.randn(2, 3, 5, 7, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = frame_mean(x, training=True)
    assert torch.equal(expected, x.flatten(3).mean(-1))
    torch.testing.assert_close(frame_mean(x, training=True), expected)


def test_maxima_and_their_gradients() -> None:
    x = spikes((2, 3, 5, 7, 6), 0.3).requires_grad_()
    y = MaxPool()(x)
    expected = nn.functional.max_pool2d(x.flatten(0, 1), 3, 2, 1).unflatten(0, (2, 3))
    assert torch.equal(y, expected)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.autograd.grad(each, x, weights)[0] for each in (y, expected))
    assert torch.equal(ours, theirs)
