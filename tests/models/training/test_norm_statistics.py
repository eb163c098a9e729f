"""BatchNorm's statistics made true, with and without a change of the answers."""

import pytest
import torch
from torch import nn

from primesvt.models import DataSet, settle


def drifted(model: nn.Module) -> nn.Module:
    """The model with statistics that are nobody's, as a repair leaves them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean += 0.3 * torch.rand(module.num_features, generator=generator)
                module.running_var *= 1 + torch.rand(module.num_features, generator=generator)
    return model.eval()


def gap(model: nn.Module, data: DataSet) -> float:
    """How far BatchNorm's statistics are from those of the fit images, at worst."""
    found: list[float] = []

    def compare(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0].double(), (0, 2, 3), unbiased=False)
        found.append(float((norm.running_mean - mean).abs().max() + (norm.running_var - variance).abs().max()))

    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(compare) for norm in norms]
    with torch.no_grad():
        model(data.fit.read(model.config, data.fit.indices)[0].double())
    for hook in hooks:
        hook.remove()
    return max(found)


@pytest.mark.parametrize("compensate", [True, False])
def test_the_statistics_are_those_of_the_images(make_model, family: str, data: DataSet, compensate: bool) -> None:
    model = drifted(make_model(family)).double()
    assert gap(model, data) > 0.1
    settle(model, data.fit, compensate=compensate)
    assert gap(model, data) < 1e-6
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_compensated_the_model_answers_as_before(make_model, family: str, data: DataSet) -> None:
    model = drifted(make_model(family)).double()
    images = data.selection.read(model.config, data.selection.indices)[0].double()
    with torch.no_grad():
        before = model(images)
        settle(model, data.fit, compensate=True)
        torch.testing.assert_close(model(images), before, atol=1e-9, rtol=1e-9)


def test_not_compensated_it_answers_otherwise(make_model, data: DataSet) -> None:
    model = drifted(make_model()).double()
    images = data.selection.read(model.config, data.selection.indices)[0].double()
    with torch.no_grad():
        before = model(images)
        settle(model, data.fit, compensate=False)
        assert not torch.allclose(model(images), before)


def test_it_stays_in_its_mode(make_model, data: DataSet) -> None:
    model = make_model().train()
    settle(model, data.fit, count=4, compensate=True)
    assert model.training
