"""A second model on the same tensors."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from primesvt.pruning.repair import twin as twins
from primesvt.pruning.repair.twin import convolved, device_of, placed, twin_of


def test_a_twin_has_the_same_tensors_and_modules_of_its_own(make_model: Callable[..., nn.Module]) -> None:
    model = make_model().train()
    twin = twin_of(model)
    assert (model.training, twin.training) == (True, False)
    assert twin.head is not model.head
    assert twin.head.weight.data_ptr() == model.head.weight.data_ptr()
    assert not any(parameter.requires_grad for parameter in twin.parameters())
    before = model.head.weight.clone()
    twin.head.weight = nn.Parameter(torch.zeros_like(before))
    assert torch.equal(model.head.weight, before)


def test_a_model_is_where_it_is(make_model: Callable[..., nn.Module]) -> None:
    model = make_model()
    assert device_of(model) == torch.device("cpu")
    assert placed(model, torch.device("cpu")) is model
    elsewhere = placed(model.train(), torch.device("meta"))
    assert (device_of(elsewhere), elsewhere.training) == (torch.device("meta"), True)
    assert device_of(model) == torch.device("cpu")


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_in_pieces_is_the_convolution(kernel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "_MOST_WINDOWS", 5 * 4 * 8 * 8 * kernel**2)
    conv = nn.Conv2d(4, 6, kernel, padding=kernel // 2).double()
    frames = torch.randn(12, 4, 8, 8, dtype=torch.float64)
    sizes = list[int]()
    whole, real = conv(frames), F.conv2d
    monkeypatch.setattr(F, "conv2d", lambda part, *rest: sizes.append(len(part)) or real(part, *rest))
    torch.testing.assert_close(convolved(conv, frames), whole)
    assert sizes == [5, 5, 2]
