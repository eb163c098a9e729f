"""What the engine leaves to PyTorch, and says so."""

import pytest
import torch
from torch import nn

from primesvt.models import ConvBN, LIFNode, build, forward_of, named_config, predict, published_names
from primesvt.models.engine import Engine, Program
from primesvt.models.engine.graph import trace
from primesvt.models.engine.left_out import left_out

from .versions import MakeModel


@pytest.mark.parametrize("name", published_names())
def test_of_the_published_sizes_nothing_is(name: str) -> None:
    """From the graph alone: no weight is drawn, no image asked."""
    with torch.device("meta"):
        model = build(named_config(name)).eval()
    assert Program(model, (1, model.config.in_channels, *model.config.image_size)).left_out == ()


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lif, self.tanh = ConvBN(2, 4), LIFNode(), nn.Tanh()
        self.conv.conv = nn.Conv2d(2, 4, 1, groups=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.tanh(self.conv(images.unsqueeze(0)))
        return x.sum(2) + self.lif(x).sum(2)


def test_by_name_with_the_reason() -> None:
    net = Odd().eval()
    found = left_out(trace(net, (1, 2, 4, 4)), dict(net.named_modules()))
    assert [str(each) for each in found] == [
        "ConvBN (conv): its filters are in 2 groups",
        "Tanh (tanh): the engine does not know it",
        "sum (sum_1): it adds up what are no whole numbers",
    ]


def test_it_comes_with_the_answers(make_model: MakeModel, data) -> None:
    model = make_model()
    assert predict(model, data.test).left_out == ()
    model.head = nn.Sequential(model.head, nn.Tanh())
    (left,) = predict(model, data.test).left_out
    assert left.layer == "Tanh (head.1)"


def test_pytorch_computes_it(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    model.head = nn.Sequential(model.head, nn.Tanh())
    engine = Engine(Program(model, images.shape), model)
    assert torch.equal(engine(images), model(images))
    assert forward_of(model, images.shape).left_out == engine.left_out
