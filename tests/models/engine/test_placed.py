"""Tensors that are kept on a device: spikes as bits, and as they were when they come back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models.engine.placed import Placed


def channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, x.shape[:2])


@given(st.integers(1, 20), st.sampled_from([torch.float32, torch.bfloat16]), st.booleans(), st.booleans())
def test_what_is_kept_comes_back(channels: int, dtype: torch.dtype, spiking: bool, last: bool) -> None:
    generator = torch.Generator().manual_seed(channels)
    x = torch.randn(2, 3, channels, 4, 5, generator=generator)
    x = ((x > 0) if spiking else x).to(dtype)
    x = channels_last(x) if last else x
    one = Placed(x, spiking)
    rows = one.rows()
    assert rows is not None
    assert (rows.dtype, rows.shape[2]) == ((torch.uint8, -(-channels // 8)) if spiking else (dtype, channels))
    again = one.form.with_rows(rows[:, [2, 0]])
    assert torch.equal(again.tensor, x[:, [2, 0]])
    assert again.tensor.dtype == dtype
    assert again.spiking == spiking
    assert again.form.with_rows(rows).tensor.stride() == (x.stride() if last else x.contiguous().stride())


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_frames_without_steps_or_of_one_step_for_all_are_not_kept(shape: tuple[int, ...]) -> None:
    assert Placed(torch.zeros(1, *shape).expand(2, *shape)).rows() is None
