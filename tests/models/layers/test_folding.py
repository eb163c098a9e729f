"""Folded BatchNorm does what it did; every family as a whole is in the contract, pruning/family_contract/."""

import pytest
import torch
from torch import nn

from primesvt.models import ConvBN, fold
from primesvt.models.layers.folding import FrameLayers
from primesvt.models.layers.rep_conv import RepConv


def lively(module: nn.Module, seed: int = 0) -> nn.Module:
    """A module in float64 whose BatchNorm has statistics and weights of its own."""
    generator = torch.Generator().manual_seed(seed)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.3)
    return module.double().eval()


LAYERS = {
    "1x1": lambda: ConvBN(3, 5),
    "3x3 with a bias": lambda: ConvBN(3, 5, 3, bias=True),
    "stride": lambda: ConvBN(3, 5, 7, stride=2),
    "depthwise": lambda: ConvBN(4, 4, 5, bias=True, depthwise=True),
    "RepConv": lambda: RepConv(3, 6, 5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_folded_layer_answers_the_same(name: str) -> None:
    net = lively(nn.Sequential(LAYERS[name]()))
    channels = next(net.parameters()).shape[1] if name != "depthwise" else 4
    x = torch.randn(2, 3, channels, 9, 7, dtype=torch.float64)
    folded = fold(net)
    with torch.no_grad():
        expected = net(x)
        torch.testing.assert_close(folded(x), expected, rtol=0, atol=1e-12)
    assert expected.std() > 0.1
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def test_the_border_of_a_rep_conv_is_what_batch_norm_makes_of_zero() -> None:
    """One constant pixel: nearly all that the 3x3 convolution reads is border."""
    net = lively(nn.Sequential(RepConv(2, 3, 2)))
    x = torch.full((1, 1, 2, 1, 1), 0.5, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(fold(net)(x), net(x), rtol=0, atol=1e-12)


def test_weights_keep_their_dtype_and_are_rounded_once() -> None:
    exact = lively(nn.Sequential(ConvBN(3, 5, 3)))
    half = nn.Sequential(ConvBN(3, 5, 3))
    half.load_state_dict(exact.state_dict())
    conv = fold(half.eval())[0][0]
    assert conv.weight.dtype == torch.float32
    assert torch.equal(conv.weight, fold(half.double())[0][0].weight.float())


def test_a_model_in_training_mode_is_folded_in_evaluation_mode() -> None:
    net = lively(nn.Sequential(ConvBN(3, 5))).train()
    folded = fold(net)
    assert net.training
    assert not any(module.training for module in folded.modules())


def test_what_it_does_not_know_stays() -> None:
    class Other(ConvBN):
        """A layer of another package, which does more than its base."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 2

    net = lively(nn.ModuleDict({"other": Other(2, 2), "inner": nn.Sequential(ConvBN(2, 2))}))
    folded = fold(net)
    assert type(folded["other"]) is Other
    assert type(folded["inner"][0]) is FrameLayers
    x = torch.randn(1, 1, 2, 3, 3, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(folded["other"](x), net["other"](x))
