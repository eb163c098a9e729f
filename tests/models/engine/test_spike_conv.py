"""The kernel against its order of sums written out, bit for bit, and against PyTorch's layers, within rounding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from primesvt.models import LIFNode
from primesvt.models.engine.activations import Frames, Plain, Spikes
from primesvt.models.engine.filters import Filters
from primesvt.models.engine.spike_conv import Neuron, SpikeConv, Way
from primesvt.models.layers.conv import ConvBN

from .slowly import convolved

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


def filters_of(conv: ConvBN) -> Filters:
    return Filters.of(conv.conv, conv.bn)


def forced(way: Way, conv: ConvBN) -> SpikeConv:
    made = SpikeConv([filters_of(conv)])
    made.way = lambda _x: way  # type: ignore[method-assign]
    return made


def random_input(shape: tuple[int, ...], rate: float, weighted: bool, seed: int) -> Spikes | Frames:
    torch.manual_seed(seed)
    x = (torch.rand(shape) < rate).float()
    frames = Plain(x * torch.randn(shape) if weighted else x).frames()
    return frames if weighted else frames.spikes()


@st.composite
def cases(draw: st.DrawFn) -> tuple[ConvBN, Spikes | Frames]:
    kernel = draw(st.sampled_from((1, 1, 3, 5)))
    inputs, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 150))
    conv = layer(
        inputs, outputs, kernel, draw(st.sampled_from((1, 1, 2))), draw(st.booleans()), draw(st.integers(0, 99))
    )
    side = st.integers(1, 5)
    shape = (draw(st.sampled_from((1, 2, 4))), draw(st.integers(1, 2)), inputs, draw(side), draw(side))
    rate = draw(st.sampled_from((0.0, 0.05, 0.3, 1.0)))
    return conv, random_input(shape, rate, draw(st.booleans()), draw(st.integers(0, 99)))


@settings(max_examples=25)
@given(cases())
def test_potentials_spikes_and_shortcuts_are_those_of_the_order(case: tuple[ConvBN, Spikes | Frames]) -> None:
    conv, x = case
    ours, expected = SpikeConv([filters_of(conv)]), convolved(x.plain(), filters_of(conv))
    torch.testing.assert_close(expected, conv(x.plain()), rtol=1e-4, atol=1e-4)
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


@settings(max_examples=25)
@given(cases())
def test_adding_what_is_not_zero_and_multiplying_all_are_the_same(case: tuple[ConvBN, Spikes | Frames]) -> None:
    conv, x = case
    sparse, dense = forced("sparse", conv), forced("dense", conv)
    assert sparse.frames(x).values.tobytes() == dense.frames(x).values.tobytes()
    assert torch.equal(dense.spikes(x, NEURON)[0].plain(), sparse.spikes(x, NEURON)[0].plain())


def test_what_is_dense_is_multiplied() -> None:
    for outputs in (8, 64, 512):
        conv = SpikeConv([filters_of(layer(24, outputs, 1, 1, bias=False, seed=0))])
        for weighted in (False, True):
            ways = [conv.way(random_input((2, 1, 24, 6, 6), rate, weighted, seed=0)) for rate in (0.01, 1.0)]
            assert ways == ["sparse", "dense"]


def test_zeros_times_infinity_are_not_added() -> None:
    conv = layer(24, 8, 1, 1, bias=False, seed=0)
    conv.conv.weight[0, 0] = torch.inf
    assert SpikeConv([filters_of(conv)]).way(random_input((2, 1, 24, 3, 3), 1.0, weighted=False, seed=0)) == "sparse"


@pytest.mark.parametrize("inputs", [100, 300, 700])
@pytest.mark.parametrize("weighted", [False, True])
def test_many_channels_are_summed_in_slices(inputs: int, weighted: bool) -> None:
    for kernel in (1, 3):
        conv = layer(inputs, 70, kernel, 1, bias=True, seed=inputs)
        x = random_input((2, 1, inputs, 2, 3), 0.3, weighted, seed=kernel)
        expected = convolved(x.plain(), filters_of(conv))
        for way in ("sparse", "dense"):
            assert torch.equal(forced(way, conv).frames(x).plain(), expected)


def test_layers_that_read_the_same_are_computed_together() -> None:
    layers = [layer(24, width, 1, 1, bias=False, seed=width) for width in (5, 16, 33)]
    x = random_input((4, 3, 24, 3, 3), 0.3, weighted=False, seed=0)
    together = SpikeConv([filters_of(one) for one in layers]).spikes(x, NEURON)
    for one, spikes in zip(layers, together, strict=True):
        assert torch.equal(spikes.plain(), SpikeConv([filters_of(one)]).spikes(x, NEURON)[0].plain())
        assert spikes.channels == one.conv.out_channels


def test_one_frame_serves_all_steps() -> None:
    conv = SpikeConv([filters_of(layer(3, 20, 3, 1, bias=True, seed=0))])
    x = random_input((1, 2, 3, 4, 4), 1.0, weighted=True, seed=1)
    expected = LIF(conv.frames(x).plain(), 5)
    assert 0 < float(expected.mean()) < 1
    assert torch.equal(conv.spikes(x, NEURON, 5)[0].plain(), expected)


def test_spikes_and_the_same_numbers_in_floats_are_one() -> None:
    conv = SpikeConv([filters_of(layer(40, 30, 3, 1, bias=False, seed=0))])
    x = random_input((2, 2, 40, 4, 4), 0.4, weighted=False, seed=1)
    assert torch.equal(conv.frames(x).plain(), conv.frames(x.frames()).plain())


def test_another_order_gives_other_sums() -> None:
    """Else keeping to one would prove nothing."""
    conv = layer(300, 64, 1, 1, bias=False, seed=0)
    filters, x = filters_of(conv), random_input((1, 2, 300, 4, 4), 0.5, weighted=False, seed=1)
    back = Filters(filters.weight.flip(1), filters.scale, filters.shift)
    turned = Plain(x.plain().flip(2)).frames().spikes()
    assert not torch.equal(SpikeConv([filters]).frames(x).plain(), SpikeConv([back]).frames(turned).plain())
