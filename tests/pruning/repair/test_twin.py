"""A second model on the same tensors."""

from collections.abc import Callable

import torch
from torch import nn

from primesvt.pruning.repair.twin import device_of, placed, twin_of


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
