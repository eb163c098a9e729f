"""Ridge regression: exact where it can be, harmless where it cannot."""

import torch

from primesvt.pruning.repair.ridge import ridge_change


def test_what_the_inputs_say_exactly_is_restored() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 500, 8, generator=generator).double() @ torch.diag(torch.logspace(0, -3, 8)).double() + 3
    wanted = torch.randn(2, 5, 8, generator=generator).double()
    change = ridge_change(inputs, inputs @ wanted.mT + 7, 1e-3)
    assert change is not None
    missing = (inputs - inputs.mean(1, keepdim=True)) @ (change - wanted).mT
    assert float(missing.abs().max()) < 1e-5


def test_noise_is_not_followed_along_inputs_that_hardly_vary() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1, 200, 2, generator=generator).double() * torch.tensor([1.0, 1e-4])
    change = ridge_change(inputs, torch.randn(1, 200, 1, generator=generator).double(), 1e-3)
    assert change is not None
    assert float(change.abs().max()) < 1


def test_constant_inputs_change_nothing() -> None:
    change = ridge_change(torch.ones(3, 50, 4), torch.randn(3, 50, 2), 1e-3)
    assert change is not None
    assert not change.any()


def test_numbers_that_are_none_have_no_solution() -> None:
    inputs = torch.randn(1, 50, 4)
    inputs[0, 3, 1] = torch.nan
    assert ridge_change(inputs, torch.randn(1, 50, 2), 1e-3) is None
    assert ridge_change(torch.randn(1, 50, 4), torch.full((1, 50, 2), torch.inf), 1e-3) is None
