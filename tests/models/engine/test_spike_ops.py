"""Spikes as bits against the same operations on floats."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primesvt.models import LIFNode
from primesvt.models.engine.activations import Frames, Plain, Spikes
from primesvt.models.engine.spike_conv import Neuron
from primesvt.models.engine.spike_ops import count, fire, max_pool
from primesvt.models.layers.conv import MaxPool

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9))


def spikes_of(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.3).float()


@settings(max_examples=40)
@given(SHAPES, st.sampled_from((1.5, 2.0, 3.0)), st.sampled_from((0.5, 1.0)))
def test_neurons_fire_as_the_lif_node(shape: tuple[int, ...], tau: float, threshold: float) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 2
    expected = LIFNode(tau=tau, v_threshold=threshold)(x)
    neuron = Neuron(tau, threshold)
    assert torch.equal(fire(Plain(x), neuron, shape[0]).plain(), expected)
    assert torch.equal(fire(Plain(x).frames(), neuron, shape[0]).plain(), expected)


def test_a_constant_current_is_read_once() -> None:
    x = (torch.randn(1, 2, 9, 40, 30) * 2).expand(6, -1, -1, -1, -1)
    assert torch.equal(fire(Plain(x), Neuron(2.0, 1.0), 6).plain(), LIFNode()(x))


@settings(max_examples=40)
@given(SHAPES)
def test_pooling_equals_that_of_floats(shape: tuple[int, ...]) -> None:
    x = spikes_of(shape)
    with torch.no_grad():
        assert torch.equal(max_pool(Plain(x).frames().spikes()).plain(), MaxPool()(x))
        potentials = torch.randn(shape)
        assert torch.equal(max_pool(Plain(potentials).frames()).plain(), MaxPool()(potentials))


@settings(max_examples=40)
@given(SHAPES)
def test_counting_equals_the_sum(shape: tuple[int, ...]) -> None:
    x = spikes_of(shape)
    assert torch.equal(count(Plain(x).frames().spikes()).plain(), x.sum((-2, -1), keepdim=True))


@settings(max_examples=40)
@given(SHAPES)
def test_bits_and_back(shape: tuple[int, ...]) -> None:
    x = spikes_of(shape)
    bits = Plain(x).frames().spikes()
    assert torch.equal(bits.plain(), x)
    assert bits.shape == (shape[0], shape[1], shape[3], shape[4], shape[2])
    assert bits.density == pytest.approx(float(x.mean()))
    assert Plain(x).frames().density == pytest.approx(float(x.mean()))
    chosen = bits.with_rows(bits.rows()[:, :1])
    assert isinstance(chosen, Spikes)
    assert torch.equal(chosen.plain(), x[:, :1])
    assert isinstance(Plain(x).frames().with_rows(Plain(x).frames().rows()), Frames)
