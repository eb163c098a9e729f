"""Numbers with a few bits less."""

import torch

from primesvt.pruning.repair.rounding import SPARE, rounded


def test_the_last_bits_are_zero_and_the_number_is_the_nearest() -> None:
    torch.manual_seed(0)
    numbers = torch.randn(1000, dtype=torch.float64) * 10.0 ** torch.randint(-9, 9, (1000,))
    found = rounded(numbers, torch.float32)
    assert torch.equal(found, found.float().double())
    assert not (found.float().view(torch.int32) % 2**SPARE).any()
    assert ((found - numbers).abs() <= numbers.abs() * 2.0 ** (SPARE - 24)).all()
    assert torch.equal(rounded(found, torch.float32), found)


def test_what_differs_by_rounding_becomes_the_same() -> None:
    torch.manual_seed(0)
    numbers = torch.randn(100_000, dtype=torch.float64)
    assert torch.equal(rounded(numbers, torch.float32), rounded(numbers * (1 + 1e-13), torch.float32))


def test_zero_and_infinity_stay() -> None:
    some = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), 1.0], dtype=torch.float64)
    assert torch.equal(rounded(some, torch.float32), some)
