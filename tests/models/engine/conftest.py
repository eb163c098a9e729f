"""Small models and images whose sums round nothing: PyTorch's plain forward pass gives the engine's very answers."""

import pytest
import torch

from primesvt.pruning.family_contract.lively import dyadic

from .versions import MakeModel


@pytest.fixture
def images() -> torch.Tensor:
    return torch.round(torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(3)) * 4) / 4


@pytest.fixture
def make_model(make_model: MakeModel) -> MakeModel:
    return lambda *args, **options: dyadic(make_model(*args, **options))
