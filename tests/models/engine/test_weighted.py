"""Layers that weigh what they add up, alone, in the order of the engine's sums."""

import pytest
import torch
from torch import nn

from primesvt.models.engine.activations import Plain
from primesvt.models.engine.filters import Filters
from primesvt.models.engine.weighted import run_of
from primesvt.models.layers.conv import ConvBN
from primesvt.models.layers.norm import affine
from primesvt.models.layers.rep_conv import RepConv

from .slowly import convolved


def lively(module: nn.Module) -> nn.Module:
    for norm in (each for each in module.modules() if isinstance(each, nn.BatchNorm2d)):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        norm.running_mean = torch.randn(norm.num_features)
    return module.eval().requires_grad_(False)


def test_a_linear_layer() -> None:
    linear, x = nn.Linear(37, 5).requires_grad_(False), torch.randn(3, 4, 37)
    found = run_of(linear)(Plain(x)).plain()
    expected = convolved(x.reshape(1, 12, 37, 1, 1), Filters.of(linear)).reshape(3, 4, 5)
    assert torch.equal(found, expected)
    torch.testing.assert_close(found, linear(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_convolution_of_frames(depthwise: bool) -> None:
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=6 if depthwise else 1).requires_grad_(False)
    x = torch.randn(4, 6, 5, 5)
    found = run_of(conv)(Plain(x)).plain()
    assert torch.equal(found, convolved(x[None], Filters.of(conv))[0])
    torch.testing.assert_close(found, conv(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_convolution_with_batch_norm(depthwise: bool) -> None:
    conv, x = lively(ConvBN(6, 6, 3, stride=2, depthwise=depthwise)), torch.randn(2, 3, 6, 5, 5)
    found = run_of(conv)(Plain(x)).plain()
    assert torch.equal(found, convolved(x, Filters.of(conv.conv, conv.bn)))
    torch.testing.assert_close(found, conv(x), rtol=1e-4, atol=1e-5)


def test_a_rep_conv() -> None:
    conv, x = lively(RepConv(6, 9, 5)), torch.randn(2, 2, 6, 4, 4)
    found = run_of(conv)(Plain(x)).plain()
    inner = Filters.of(conv.inner.conv, conv.inner.bn)
    border = affine(conv.inner.bn)[1].float().numpy()
    middle = convolved(convolved(x, inner), Filters.of(conv.depthwise), border)
    assert torch.equal(found, convolved(middle, Filters.of(conv.outer.conv, conv.outer.bn, conv.norm)))
    torch.testing.assert_close(found, conv(x), rtol=1e-4, atol=1e-4)


def test_others_are_pytorchs() -> None:
    assert run_of(nn.Conv2d(4, 4, 3, padding=1, groups=2)) is None
    assert run_of(nn.Tanh()) is None
