"""Spikes as bits, and floats with the channels innermost: the same numbers in three forms."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from primesvt.models.engine.activations import BYTE, Frames, Plain, Spikes, byte_count

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 20), st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=30)
@given(SHAPES, st.floats(0, 1), st.integers(0, 9))
def test_nothing_is_lost(shape: tuple[int, ...], rate: float, seed: int) -> None:
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()
    frames = Plain(x).frames()
    spikes = frames.spikes()
    assert torch.equal(spikes.plain(), x)
    assert torch.equal(frames.plain(), x)
    assert spikes.shape == frames.shape == (*shape[:2], *shape[3:], shape[2])
    assert spikes.channels == frames.channels == shape[2]
    assert spikes.density == frames.density == float(x.double().mean())


def test_the_first_channel_is_in_the_lowest_bit_and_no_channel_is_zero() -> None:
    x = torch.zeros(1, 1, 10, 1, 1)
    x[0, 0, [0, 9]] = 1
    assert Plain(x).frames().spikes().bits.tolist() == [[[[[0b1, 0b10]]]]]
    assert [byte_count(channels) for channels in (1, BYTE, BYTE + 1)] == [1, 1, 2]


def test_rows_are_those_of_images() -> None:
    x = torch.rand(2, 5, 9, 3, 3).round()
    chosen = np.array([4, 0])
    for form in (Plain(x), Plain(x).frames(), Plain(x).frames().spikes()):
        assert torch.equal(form.with_rows(form.rows()[:, chosen]).plain(), x[:, chosen])


def test_what_is_the_same_at_all_time_steps_has_no_rows() -> None:
    assert Plain(torch.rand(1, 5, 9, 3, 3).expand(2, -1, -1, -1, -1)).rows() is None
    assert Plain(torch.rand(5, 9)).rows() is None
    assert Spikes(np.zeros((1, 2, 1, 1, 1), np.uint8), 3).rows() is not None
    assert Frames(np.zeros((1, 2, 1, 1, 3), np.float32)).density == 0
