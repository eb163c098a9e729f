"""First-order Taylor: against the loss itself, without the channel."""

import torch
from torch.nn import functional as F

from primesvt.models import ChannelGroup, DataSet
from primesvt.pruning import Calibration, Statistics, criterion


class Measured(Statistics):
    """Influences that are given, and not measured."""

    def __init__(self, **given: list[float]) -> None:
        object.__setattr__(self, "given", given)

    def influence(self, norm: str) -> torch.Tensor:
        return torch.tensor(self.given[norm], dtype=torch.float64)  # type: ignore[attr-defined]


def test_coupled_filters_are_added_up() -> None:
    weights = {"q.conv.weight": torch.ones(2, 1, 1, 1), "q.bn.weight": torch.ones(2), "k.bn.weight": torch.ones(2)}
    group = ChannelGroup(name="a", kind="attention", filters=("q.conv", "q.bn", "k.bn"))
    found = criterion("taylor").score(group, weights, Measured(**{"q.bn": [1.0, 2.0], "k.bn": [0.5, 0.25]}))
    assert found.tolist() == [1.5, 2.25]


def test_it_is_the_slope_of_the_loss_along_a_gate_of_the_channel(make_model, family: str, data: DataSet) -> None:
    """An image at a time, with a factor of 1 at every channel that the loss is differentiated by."""
    model, calibration = make_model(family).eval(), Calibration(data.calibration, 5)
    gate, slopes = torch.ones(16, 1, 1, requires_grad=True), []
    hook = model.get_submodule("stem.3.bn").register_forward_hook(lambda _m, _i, output: output * gate)
    for image, label in calibration.labelled(model.config, 1):
        (slope,) = torch.autograd.grad(F.cross_entropy(model(image), label), gate)
        slopes.append(slope.flatten().double().abs())
    hook.remove()
    expected = torch.stack(slopes).mean(0)
    assert expected.gt(0).any()
    torch.testing.assert_close(Statistics(model, calibration).influence("stem.3.bn"), expected, atol=1e-6, rtol=1e-4)


def test_the_weights_get_no_gradients(make_model, data: DataSet) -> None:
    model = make_model().requires_grad_(False)
    assert Statistics(model, Calibration(data.calibration)).influence("blocks.0.hidden.bn").any()
    assert all(parameter.grad is None for parameter in model.parameters())
