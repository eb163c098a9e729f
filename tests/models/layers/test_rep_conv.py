"""RepConv: its border, and what it declares of its channels."""

import torch
from torch import nn
from torch.nn import functional as F

from primesvt.models.layers.rep_conv import RepConv, inner_group, outer_filters


def lively(seed: int = 0) -> RepConv:
    torch.manual_seed(seed)
    layer = RepConv(3, 4, 5).double()
    for norm in (module for module in layer.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.normal_(norm.bias)
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    return layer


def test_in_evaluation_it_is_one_convolution() -> None:
    """As it is linear, and its border is what BatchNorm makes of zero: of a zero image around, nothing is seen."""
    layer = lively().eval()
    x = torch.randn(1, 2, 3, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        y = layer(x)
        wide = layer(F.pad(x, [2] * 4))[..., 2:-2, 2:-2]
        torch.testing.assert_close(wide, y, rtol=0, atol=1e-12)
        at_zero = layer(torch.zeros_like(x))
        torch.testing.assert_close(layer(2 * x) - at_zero, 2 * (y - at_zero), rtol=0, atol=1e-12)
    assert y.shape == (1, 2, 5, 6, 5)


def test_in_training_the_border_is_no_part_of_the_statistics() -> None:
    layer = lively().train()
    x = torch.randn(2, 2, 3, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        before, momentum = layer.inner.bn.running_mean.clone(), layer.inner.bn.momentum
        mean = layer.inner.conv(x.flatten(0, 1)).mean((0, 2, 3))
        layer(x)
    torch.testing.assert_close(layer.inner.bn.running_mean, (1 - momentum) * before + momentum * mean)


def test_the_inner_channels_are_a_layer() -> None:
    group = inner_group("blocks.0.query", "blocks.0.query_inner")
    assert group.filters == ("blocks.0.query.inner.conv", "blocks.0.query.inner.bn", "blocks.0.query.depthwise")
    assert group.readers == ("blocks.0.query.outer.conv",)
    modules = dict(nn.ModuleDict({"q": lively()}).named_modules())
    assert {len(modules[name].weight) for name in inner_group("q", "q_inner").filters} == {4}
    assert {len(modules[name].weight) for name in outer_filters("q")} == {5}
    assert modules["q.outer.conv"].weight.shape[1] == 4
