"""Hooks see what passes, may change it, and end."""

import pytest
import torch
from torch import nn

from primesvt.pruning.hooks import Hooks


class Doubled(nn.Module):
    """Knows an argument by name."""

    def forward(self, x: torch.Tensor, *, factor: float = 2.0) -> torch.Tensor:
        return x * factor


def test_what_a_hook_returns_replaces_what_it_saw() -> None:
    module, x = Doubled(), torch.ones(3)
    with Hooks() as hooks:
        hooks.before(module, lambda _m, inputs: (inputs[0] + 1,))
        hooks.after(module, lambda _m, inputs, output: output + inputs[0])
        assert module(x).tolist() == [6.0] * 3
    assert module(x).tolist() == [2.0] * 3


def test_arguments_by_name_are_seen_where_asked_for() -> None:
    module, seen = Doubled(), []
    with Hooks() as hooks:
        hooks.before(module, lambda _m, _inputs, said: seen.append(said), named=True)
        module(torch.ones(1), factor=3.0)
    assert seen == [{"factor": 3.0}]


def test_an_error_ends_them_too() -> None:
    module = Doubled()

    def wrong() -> None:
        with Hooks() as hooks:
            hooks.before(module, lambda _m, _inputs: 1 // 0)
            module(torch.ones(1))

    with pytest.raises(ZeroDivisionError):
        wrong()
    assert module(torch.ones(1)).item() == 2
