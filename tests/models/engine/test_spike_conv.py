"""The kernel against PyTorch's convolution, BatchNorm and neuron: equal bits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from primesvt.models import LIFNode
from primesvt.models.engine.activations import Frames, Plain, Spikes
from primesvt.models.engine.spike_conv import Neuron, Order, SpikeConv
from primesvt.models.engine.summation import norm_is_fused, order_of
from primesvt.models.layers.conv import ConvBN
from primesvt.models.layers.norm import affine

NEURON = Neuron(tau=2.0, threshold=0.5)
LIF = LIFNode(tau=2.0, v_threshold=0.5)


def layer(inputs: int, outputs: int, kernel: int, stride: int, bias: bool, seed: int) -> ConvBN:
    torch.manual_seed(seed)
    made = ConvBN(inputs, outputs, kernel, stride=stride, bias=bias).eval()
    nn.init.normal_(made.conv.weight)
    nn.init.uniform_(made.bn.weight, -1, 2)
    nn.init.normal_(made.bn.bias)
    made.bn.running_mean = torch.randn(outputs)
    made.bn.running_var = torch.rand(outputs) * inputs + 0.1
    return made.requires_grad_(False)


def kernel_of(layers: list[ConvBN], x: Spikes | Frames) -> SpikeConv:
    orders = {order_of(one.conv, *x.shape[2:4], weighted=isinstance(x, Frames)) for one in layers}
    order, fused = orders.pop(), norm_is_fused()
    if orders or order is None or fused is None:
        pytest.skip("PyTorch adds up in an order that the engine does not know on this machine")
    scales, shifts = zip(*(affine(one.bn) for one in layers), strict=True)
    return SpikeConv([one.conv for one in layers], list(scales), list(shifts), order, fused=fused)


def random_input(shape: tuple[int, ...], rate: float, weighted: bool, seed: int) -> Spikes | Frames:
    torch.manual_seed(seed)
    x = (torch.rand(shape) < rate).float()
    frames = Plain(x * torch.randint(1, 5, shape) if weighted else x).frames()
    return frames if weighted else frames.spikes()


@st.composite
def cases(draw: st.DrawFn) -> tuple[ConvBN, Spikes | Frames]:
    kernel = draw(st.sampled_from((1, 1, 3, 5)))
    inputs, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 150))
    conv = layer(
        inputs, outputs, kernel, draw(st.sampled_from((1, 1, 2))), draw(st.booleans()), draw(st.integers(0, 99))
    )
    # Sixteen frames: fewer are convolved otherwise on a single thread.
    side = st.integers(3 if kernel == 5 else 1, 7)
    shape = (draw(st.sampled_from((1, 2, 4))), 16, inputs, draw(side), draw(side))
    rate = draw(st.sampled_from((0.0, 0.05, 0.3, 1.0)))
    return conv, random_input(shape, rate, draw(st.booleans()), draw(st.integers(0, 99)))


@settings(max_examples=60)
@given(cases())
def test_potentials_spikes_and_shortcuts_equal_pytorchs(case: tuple[ConvBN, Spikes | Frames]) -> None:
    conv, x = case
    ours = kernel_of([conv], x)
    expected = conv(x.plain())
    assert torch.equal(ours.frames(x).plain(), expected)
    assert torch.equal(ours.spikes(x, NEURON)[0].plain(), LIF(expected))
    t, n, c, h, w = expected.shape
    stream = torch.randn(t, n, c + 3, h, w)
    channels = torch.randperm(c + 3)[:c].sort().values
    given_ = Plain(stream).frames()
    added, fired = ours.add_frames(x, given_, channels.numpy(), NEURON)
    after = stream.index_add(2, channels, expected)
    assert torch.equal(added.plain(), after)
    assert fired is not None
    assert torch.equal(fired.plain(), LIF(after))
    summed = ours.add_spikes(x, given_, channels.numpy(), NEURON)
    assert torch.equal(summed.plain(), stream.index_add(2, channels, LIF(expected)))
    assert torch.equal(given_.plain(), stream)


@pytest.mark.parametrize("inputs", [100, 300, 700])
@pytest.mark.parametrize("weighted", [False, True])
def test_many_channels_are_summed_as_pytorch_does(inputs: int, weighted: bool) -> None:
    for kernel, bias in ((1, True), (1, False), (3, True)):
        conv = layer(inputs, 70, kernel, 1, bias, seed=inputs)
        x = random_input((2, 9, inputs, 4, 5), 0.3, weighted, seed=kernel)
        assert torch.equal(kernel_of([conv], x).frames(x).plain(), conv(x.plain()))


def test_layers_that_read_the_same_are_computed_together() -> None:
    layers = [layer(24, width, 1, 1, bias=False, seed=width) for width in (5, 16, 33)]
    x = random_input((4, 16, 24, 3, 3), 0.3, weighted=False, seed=0)
    for one, spikes in zip(layers, kernel_of(layers, x).spikes(x, NEURON), strict=True):
        assert torch.equal(spikes.plain(), LIF(one(x.plain())))
        assert spikes.channels == one.conv.out_channels


def test_a_wrong_order_gives_other_sums() -> None:
    """Else finding the right one would prove nothing."""
    conv = layer(300, 64, 1, 1, bias=False, seed=0)
    x = random_input((1, 16, 300, 4, 4), 0.5, weighted=False, seed=1)
    one, nought = torch.ones(64), torch.zeros(64)
    sums = {
        chunk: SpikeConv([conv.conv], [one], [nought], Order(chunk=chunk)).frames(x).plain() for chunk in (0, 64, 128)
    }
    assert not torch.equal(sums[0], sums[64])
    assert not torch.equal(sums[64], sums[128])
    for total in sums.values():
        torch.testing.assert_close(total, conv.conv(x.plain()[0])[None], rtol=1e-4, atol=1e-4)


def test_what_the_kernel_cannot_do_has_no_order() -> None:
    for conv in (
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 8, 3),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2),
        nn.Conv2d(8, 8, 2, padding=1),
        nn.Conv2d(8, 8, (1, 3), padding=(0, 1)),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"),
    ):
        assert order_of(conv, 6, 6, weighted=False) is None
