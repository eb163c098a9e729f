"""What flows along a forward pass: spikes, sums of them, or real numbers."""

import pytest
import torch
from torch import nn

from primesvt.models import ConvBN, LIFNode
from primesvt.models.engine.graph import trace
from primesvt.models.engine.kinds import Kind, kinds_of


class Odd(nn.Module):
    """Spikes through known operators, and some that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lif, self.drop = ConvBN(1, 2), LIFNode(), nn.Hardtanh()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        spikes = self.lif(self.conv(images.unsqueeze(0)), 2)
        added = spikes + spikes
        masked = spikes * spikes
        scaled = masked * 0.5
        return self.drop(added) + torch.tanh(scaled) + (spikes * added).sum(2, keepdim=True)


def test_kinds_follow_from_operators_and_unknown_ones_are_named() -> None:
    model = Odd()
    graph = trace(model, (1, 1, 4, 4))
    kinds, unknown = kinds_of(graph, dict(model.named_modules()))
    found = {node.name: kind for node, kind in kinds.items()}
    expected = {
        "images": Kind.REAL,
        "conv": Kind.REAL,
        "lif": Kind.SPIKES,
        "add": Kind.COUNTS,
        "mul": Kind.SPIKES,
        "mul_1": Kind.REAL,
        "mul_2": Kind.COUNTS,
        "sum_1": Kind.COUNTS,
        "drop": Kind.REAL,
    }
    assert {name: found[name] for name in expected} == expected
    assert set(unknown) == {"Hardtanh (drop)", "tanh (tanh)"}


@pytest.mark.parametrize("family", ["spikformer", "spike-driven-transformer"])
def test_our_families_have_no_unknown_operator(make_model, family: str) -> None:
    model = make_model(family)
    for shape in ((3, 1, 8, 8), (2, 3, 1, 8, 8)):
        assert kinds_of(trace(model, shape), dict(model.named_modules()))[1] == ()
