"""SpikingJelly's neuron as PrimeSVT asks it: a voltage trace by hand, and the dtype of the current."""

import pytest
import torch

from primesvt.models.layers.stock_neuron import spikes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_trace_by_hand(dtype: torch.dtype) -> None:
    # Halfway to the current in every step, and back to 0 after a spike: 0.5, 0.75 (spike), 0.5, 0.75 (spike), 0.5.
    found = spikes(torch.ones(5, 1, dtype=dtype), 2.0, 0.7)
    assert found.flatten().tolist() == [0, 1, 0, 1, 0]
    assert found.dtype == dtype


def test_the_threshold_itself_is_reached() -> None:
    assert spikes(torch.ones(2, 1, dtype=torch.float64), 2.0, 0.75).flatten().tolist() == [0, 1]


def test_it_learns_by_the_surrogate() -> None:
    x = torch.full((3, 2), 0.4, dtype=torch.float64, requires_grad=True)
    spikes(x, 2.0, 1.0).sum().backward()
    assert x.grad is not None
    assert (x.grad > 0).all()
