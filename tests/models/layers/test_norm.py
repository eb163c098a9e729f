"""BatchNorm as a factor and a summand."""

import pytest
import torch
from torch import nn

from primesvt.models.layers.norm import affine


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_by_hand(dtype: torch.dtype) -> None:
    norm = nn.BatchNorm2d(2, eps=0.0).to(dtype).eval()
    norm.running_mean = torch.tensor([1.0, -2.0], dtype=dtype)
    norm.running_var = torch.tensor([4.0, 0.25], dtype=dtype)
    norm.weight.data = torch.tensor([3.0, -1.0], dtype=dtype)
    norm.bias.data = torch.tensor([0.5, 1.0], dtype=dtype)
    factor, summand = affine(norm)
    assert factor.tolist() == [1.5, -2.0]
    assert summand.tolist() == [-1.0, -3.0]
    assert factor.dtype == summand.dtype == torch.float64, "rounded by whoever uses it, once"
    assert not factor.requires_grad


def test_any_batch_norm() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(50).double().eval()
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor)
    nn.init.uniform_(norm.running_var, 0.01, 4)
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    x = torch.randn(3, 50, 4, 4, dtype=torch.float64)
    factor, summand = (values.view(-1, 1, 1) for values in affine(norm))
    torch.testing.assert_close(x * factor + summand, norm(x).detach(), rtol=0, atol=1e-13)
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())
