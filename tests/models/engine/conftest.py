"""Images for the small models."""

import pytest
import torch


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(3))
