"""BatchNorms in a row as a factor and a summand."""

import torch
from torch import nn

from primesvt.pruning.repair.affine import Affine
from primesvt.pruning.repair.reference import Signal


def norms() -> nn.Sequential:
    model = nn.Sequential(nn.BatchNorm2d(3, eps=0), nn.BatchNorm2d(3, eps=0)).double()
    for number, norm in enumerate(model, 1):
        norm.weight.data = torch.tensor([2.0, -1.0, 3.0], dtype=torch.float64) * number
        norm.bias.data = torch.tensor([0.5, 1.0, 0.0], dtype=torch.float64)
        norm.running_mean = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
        norm.running_var = torch.tensor([4.0, 1.0, 9.0], dtype=torch.float64)
    return model.eval()


def test_it_is_what_they_compute() -> None:
    model, x = norms(), torch.randn(5, 3, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    both = Affine.of(model, ("0", "1"), 3)
    with torch.no_grad():
        torch.testing.assert_close(both(x[:, :, 0, 0]), model(x)[:, :, 0, 0])
    # By hand: the first of them makes z - 0.5 of the first channel, the second twice that less 1, and 0.5.
    assert (both.factor[0], both.summand[0]) == (2, -2.5)
    assert Affine.of(model, (), 3).equals(Affine.of(model, (), 3))
    assert not both.equals(Affine.of(model, ("0",), 3))


def test_before_undoes_behind() -> None:
    both = Affine.of(norms(), ("0", "1"), 3)[torch.tensor([2, 0])]
    signal = Signal(torch.tensor([[1.0, -2.0]], dtype=torch.float64), torch.tensor([0.5, 4.0], dtype=torch.float64))
    again = both.before(both.behind(signal))
    torch.testing.assert_close(again.rows, signal.rows)
    torch.testing.assert_close(again.mean, signal.mean)
