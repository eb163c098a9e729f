"""The order of PyTorch's sums, as it is found out by experiment on this machine."""

import pytest
import torch
from torch import nn

from primesvt.models.engine import summation
from primesvt.models.engine.activations import Plain
from primesvt.models.engine.spike_conv import Order, SpikeConv
from primesvt.models.engine.summation import norm_is_fused, order_of
from primesvt.models.layers.norm import affine


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_order_holds_for_other_weights_and_images(kernel: int, bias: bool, weighted: bool) -> None:
    torch.manual_seed(5)
    conv = nn.Conv2d(37, 24, kernel, padding=kernel // 2, bias=bias).requires_grad_(False)
    order = order_of(conv, 7, 7, weighted=weighted)
    if order is None:
        pytest.skip("PyTorch adds up in an order that is not to be told on this machine")
    x = (torch.rand(1, 32, 37, 7, 7) < 0.2).float() * (torch.randint(1, 6, (1, 32, 37, 7, 7)) if weighted else 1)
    frames = Plain(x).frames()
    ours = SpikeConv([conv], [torch.ones(24)], [torch.zeros(24)], order).frames(frames if weighted else frames.spikes())
    assert torch.equal(ours.plain()[0], conv(x[0]))


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 2, padding=1),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 3, padding=1, dilation=2),
        nn.Conv2d(4, 4, (3, 1), padding=(1, 0)),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    ],
    ids=["groups", "even", "no padding", "dilation", "oblong", "reflecting"],
)
def test_of_other_convolutions_there_is_no_order(conv: nn.Conv2d) -> None:
    assert order_of(conv, 6, 6, weighted=False) is None


def test_where_no_order_fits_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that does not add everything up is never taken for PyTorch's."""
    monkeypatch.setattr(summation, "_candidates", lambda _kernel, _bias: [])
    monkeypatch.setattr(summation, "_order", summation._order.__wrapped__)
    assert order_of(nn.Conv2d(4, 4, 1), 6, 6, weighted=False) is None


def test_every_shape_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    candidates = summation._candidates
    monkeypatch.setattr(summation, "_candidates", lambda k, b: tried.append(k) or candidates(k, b))
    summation._order.cache_clear()
    for seed in range(3):
        torch.manual_seed(seed)
        order_of(nn.Conv2d(11, 7, 1), 5, 5, weighted=False)
    assert tried == [1]


def test_where_the_bias_goes_matters_only_where_there_is_one() -> None:
    assert {order.bias for order in summation._candidates(3, bias=False)} == {"begun"}
    assert {order.bias for order in summation._candidates(1, bias=True)} == {"begun", "first", "last"}
    assert Order() in summation._candidates(3, bias=False)


def test_batch_norm_rounds_as_it_was_found_to() -> None:
    fused = norm_is_fused()
    if fused is None:
        pytest.skip("BatchNorm on this machine rounds in a way that is not to be told")
    torch.manual_seed(9)
    norm = nn.BatchNorm2d(8).eval()
    norm.running_mean, norm.running_var = torch.randn(8), torch.rand(8) + 0.1
    x = torch.randn(16, 8, 5, 5)
    factor, summand = (values.view(-1, 1, 1) for values in affine(norm))
    exact = (x.double() * factor.double() + summand.double()).float()
    with torch.no_grad():
        assert torch.equal(norm(x), exact if fused else x * factor + summand)
