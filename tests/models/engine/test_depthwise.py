"""One filter per channel, in the order of the engine's sums."""

import pytest
import torch
from torch import nn

from primesvt.models.engine.activations import Plain
from primesvt.models.engine.depthwise import Depthwise
from primesvt.models.engine.filters import Filters

from .slowly import convolved


@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [11, 16, 37])
def test_it_is_that_of_the_order(kernel: int, stride: int, channels: int) -> None:
    conv = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels).requires_grad_(False)
    x, filters = torch.randn(2, 2, channels, 5, 6), Filters.of(conv)
    found = Depthwise(filters)(Plain(x)).plain()
    assert torch.equal(found, convolved(x, filters))
    torch.testing.assert_close(found.flatten(0, 1), conv(x.flatten(0, 1)), rtol=1e-5, atol=1e-5)


def test_the_border_may_be_anything() -> None:
    conv = nn.Conv2d(5, 5, 3, groups=5, bias=False).requires_grad_(False)
    x, filters, border = torch.randn(1, 2, 5, 4, 4), Filters.of(conv), torch.randn(5)
    found = Depthwise(filters, border.numpy())(Plain(x)).plain()
    assert torch.equal(found, convolved(x, filters, border.numpy()))
    padded = border.view(-1, 1, 1).expand(2, 5, 6, 6).clone()
    padded[:, :, 1:-1, 1:-1] = x[0]
    torch.testing.assert_close(found[0], conv(padded), rtol=1e-5, atol=1e-5)
