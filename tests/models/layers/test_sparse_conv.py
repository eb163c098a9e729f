"""Convolutions in training on the CPU against PyTorch's: the same numbers within rounding, however sparse the input."""

from collections.abc import Callable

import numba
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from primesvt.models.layers import sparse_conv
from primesvt.models.layers.conv import FrameConv

from .convolutions import DENSE, SPARSE, conv, spikes


def exact(layer: FrameConv, frames: torch.Tensor, grad: torch.Tensor) -> list[torch.Tensor]:
    """Output and gradients of the frames and the parameters, in float64 by PyTorch."""
    parameters = [p.detach().double().requires_grad_() for p in layer.parameters()]
    frames = frames.detach().double().requires_grad_()
    y = nn.functional.conv2d(frames, *parameters, padding=layer.padding)
    return [y, *torch.autograd.grad(y, [frames, *parameters], grad.double())]


def check(layer: FrameConv, frames: torch.Tensor, grad: torch.Tensor) -> None:
    """Errors are measured against the largest number, as sums of many terms may cancel."""
    frames = frames.detach().requires_grad_()
    y = layer(frames)
    measured = [y, *torch.autograd.grad(y, [frames, *layer.parameters()], grad)]
    for ours, expected in zip(measured, exact(layer, frames, grad), strict=True):
        assert ours.dtype == torch.float32
        bound = 3e-6 * max(1.0, expected.detach().abs().max().item())
        torch.testing.assert_close(ours.double(), expected, rtol=0, atol=bound)


LAYOUTS: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
    lambda x: x,
    lambda x: x.contiguous(memory_format=torch.channels_last),
    lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
)


@pytest.mark.parametrize("way_", [SPARSE, DENSE], ids=["sparse", "dense"])
@given(
    st.tuples(*(st.integers(1, high) for high in (3, 9, 6, 6))),
    st.integers(1, 9),
    st.sampled_from([1, 3, 5]),
    st.booleans(),
    st.floats(0, 1),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.integers(0, 2**16),
)
@settings(max_examples=60)
def test_outputs_and_gradients_are_those_of_pytorch(
    way_: float,
    shape: tuple[int, ...],
    filters: int,
    kernel: int,
    bias: bool,
    density: float,
    layout: Callable[[torch.Tensor], torch.Tensor],
    grad_layout: Callable[[torch.Tensor], torch.Tensor],
    seed: int,
) -> None:
    frames = spikes(shape, density, seed)
    grad = torch.randn((shape[0], filters, *shape[2:]), generator=torch.Generator().manual_seed(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_conv, "_PRODUCT", way_)
        check(conv(shape[1], filters, kernel, bias=bias, seed=seed), layout(frames), grad_layout(grad))


@pytest.mark.parametrize("kernel", [1, 3])
def test_any_numbers_may_be_convolved(way: float, kernel: int) -> None:
    """Membrane potentials and counts of spikes are no zeros and ones, but may be sparse, too."""
    mask, values = spikes((4, 24, 7, 5), 0.2), torch.randn(4, 24, 7, 5, generator=torch.Generator().manual_seed(1))
    check(conv(24, 40, kernel, bias=True), mask * values, torch.ones(4, 40, 7, 5))


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_nothing_and_everything(way: float, density: float) -> None:
    layer = conv(6, 8, 3, bias=True)
    check(layer, spikes((2, 6, 4, 4), density), torch.ones(2, 8, 4, 4))
    nothing = layer(torch.zeros(2, 6, 4, 4))
    assert torch.equal(nothing, layer.bias.view(-1, 1, 1).expand(2, 8, 4, 4))


def test_nan_is_no_zero(way: float) -> None:
    frames = torch.zeros(1, 2, 5, 5)
    frames[0, 1, 2, 2] = float("nan")
    y = conv(2, 3, 3, bias=False)(frames)
    assert y.isnan()[:, :, 1:4, 1:4].all()
    assert int(y.isnan().sum()) == 3 * 9


def test_the_sparse_way_is_taken_where_it_is_shorter() -> None:
    """One spike in twenty channels is worth it, more than one in two is not; and few filters never are."""
    frames = [
        spikes((4, 64, 7, 7), density).contiguous(memory_format=torch.channels_last) for density in (0.05, 0.3, 0.6)
    ]
    chosen = [[sparse_conv._nonzeros(each, filters) is not None for each in frames] for filters in (8, 128, 1024)]
    assert chosen == [[False, False, False], [True, False, False], [True, True, False]]


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_threads(monkeypatch, threads: int) -> None:
    monkeypatch.setattr(sparse_conv, "_PRODUCT", SPARSE)
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("numba was told to use fewer")
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        check(conv(16, 24, 3, bias=False), spikes((5, 16, 6, 6), 0.2), torch.ones(5, 24, 6, 6))
        check(conv(16, 24, 1, bias=False), spikes((1, 16, 1, 1), 0.2), torch.ones(1, 24, 1, 1))
    finally:
        numba.set_num_threads(before)


def test_only_what_is_asked_for_is_differentiated(way: float) -> None:
    layer, frames = conv(4, 5, 3, bias=True), spikes((2, 4, 6, 6), 0.1)
    layer.weight.requires_grad_(False)
    layer(frames).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(layer.bias.grad, torch.full((5,), 72.0))
    frozen = conv(4, 5, 3, bias=True).requires_grad_(False)
    (grad,) = torch.autograd.grad(frozen(frames.requires_grad_()).sum(), frames)
    assert grad.shape == frames.shape


def test_a_second_derivative_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(sparse_conv, "_PRODUCT", SPARSE)
    frames = spikes((1, 2, 3, 3), 0.5).requires_grad_()
    y = conv(2, 3, 3, bias=False)(frames)
    (grad,) = torch.autograd.grad(y, frames, torch.ones_like(y, requires_grad=True), create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes(way: float, dtype: torch.dtype) -> None:
    layer, frames = conv(16, 24, 3, bias=True).to(dtype), spikes((2, 16, 5, 5), 0.1).to(dtype)
    expected = nn.functional.conv2d(frames, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(frames), expected)


def test_autocast_convolves_in_its_own_precision(way: float) -> None:
    layer, frames = conv(16, 24, 1, bias=True), spikes((2, 16, 5, 5), 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(frames).dtype == torch.bfloat16
