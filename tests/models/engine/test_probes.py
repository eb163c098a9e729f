"""Uses, spikes and neurons, by hand and against a convolution with ones."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from primesvt.models.engine.activations import Activation, Plain
from primesvt.models.engine.probes import Attended, Dense, Driven, Window


def forms(x: torch.Tensor) -> list[Activation]:
    """Spikes or sums of spikes ``[T, N, C, H, W]`` in every form that the engine has for them."""
    frames = Plain(x).frames()
    both: list[Activation] = [Plain(x), Plain(x.flatten(0, 1)), frames]
    return both if x.max() > 1 else [*both, frames.spikes()]


def test_a_window_reaches_less_at_the_border() -> None:
    assert Window(3, 1, 1).reach(4).tolist() == [2, 3, 3, 2]
    assert Window(3, 2, 1).reach(5).tolist() == [1, 2, 1, 2, 1]
    assert Window(1, 2).reach(5).tolist() == [1, 0, 1, 0, 1]
    assert (Window(3, 2, 1).count(5), Window(7, 2, 3).count(28)) == (3, 14)


def test_spikes_by_hand() -> None:
    x = torch.zeros(2, 1, 3, 4, 4)
    x[0, 0, 0, 0, 0] = x[1, 0, 2, 1, 1] = x[1, 0, 1, 3, 2] = 1
    for read in forms(x):
        uses, spikes, neurons = Driven(Window(3, 1, 1), Window(3, 1, 1))([read], 1)
        # A corner lies in four windows, an inner pixel in nine, one at the border in six.
        assert uses.tolist() == [[4], [15]]
        assert spikes.tolist() == [[1], [2]]
        assert neurons.tolist() == [[48], [48]]


@pytest.mark.parametrize("most", [1, 3])
@given(taps=st.sampled_from([1, 3, 5, 7]), stride=st.integers(1, 2), side=st.integers(2, 9), seed=st.integers(0, 99))
def test_uses_are_those_of_a_convolution_with_ones(most: int, taps: int, stride: int, side: int, seed: int) -> None:
    x = torch.randint(0, most + 1, (2, 3, 11, side, side + 1), generator=torch.Generator().manual_seed(seed)).float()
    ones = torch.ones(1, 11, taps, taps)
    wanted = F.conv2d(x.flatten(0, 1), ones, stride=stride, padding=taps // 2).sum((1, 2, 3)).view(2, 3)
    window = Window(taps, stride, taps // 2)
    for read in forms(x):
        assert np.array_equal(Driven(window, window)([read], 3)[0], wanted.numpy())


def test_dense_layers_have_every_window() -> None:
    counted = Dense(Window(3, 2, 1), Window(3, 2, 1))([Plain(torch.randn(1, 5, 2, 8, 6))], 5)
    assert counted[0].tolist() == [[12] * 5]
    assert not counted[1:].any()
    assert Dense()([Plain(torch.randn(4, 5, 7))], 5)[0].tolist() == [[1] * 5] * 4


def test_attention_by_hand() -> None:
    # Two heads of two channels, two tokens in a row.
    key = torch.tensor([[1, 1], [0, 1], [0, 0], [1, 0]]).view(1, 1, 4, 1, 2).float()
    value = torch.tensor([[1, 0], [1, 1], [1, 1], [1, 1]]).view(1, 1, 4, 1, 2).float()
    query = torch.tensor([[0, 1], [0, 0], [1, 1], [0, 0]]).view(1, 1, 4, 1, 2).float()
    # First head: token 0 has one key and two values, token 1 two and one; second head: one and two, none and two.
    together = 1 * 2 + 2 * 1 + 1 * 2
    # Three spikes of the query, each adds a column of two.
    for reads in zip(*(forms(x) for x in (query, key, value)), strict=True):
        uses, spikes, neurons = Attended(2)(list(reads), 1)
        assert uses.tolist() == [[together + 3 * 2]]
        assert spikes.tolist() == [[3 + 4 + 7]]
        assert neurons.tolist() == [[24]]


def test_attention_of_pruned_heads_is_the_product_of_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randint(0, 2, (2, 3, 9, 2, 3), generator=generator).float() for _ in "qk")
    value = torch.randint(0, 2, (2, 3, 15, 2, 3), generator=generator).float()
    k, v = (x.flatten(3).unflatten(2, (3, -1)) for x in (key, value))
    wanted = (v @ k.transpose(-2, -1)).sum((2, 3, 4)) + 5 * query.sum((2, 3, 4))
    for reads in zip(*(forms(x) for x in (query, key, value)), strict=True):
        assert np.array_equal(Attended(3)(list(reads), 3)[0], wanted.numpy())
