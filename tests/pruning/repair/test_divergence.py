"""How far answers are from the original's, against hand arithmetic."""

import math

import pytest
import torch

from primesvt.pruning.repair.divergence import divergence


def test_by_hand() -> None:
    original, version = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, math.log(3)], [5.0, 5.0]])
    # Halves beside a quarter and three quarters; and what logits have in common says nothing.
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert divergence(original, version) == pytest.approx(first / 2)
    assert divergence(original, original) == 0


def test_a_logit_that_is_no_number_shows() -> None:
    assert math.isnan(divergence(torch.zeros(2, 2), torch.tensor([[0.0, math.nan], [0.0, 0.0]])))
