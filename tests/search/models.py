"""The smallest models and data on which a search makes sense, and a count of evaluations."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from torch import nn

from primesvt.pruning import PruningPlan
from primesvt.pruning.family_contract import calibrated
from primesvt.search import Measured, evaluator

from ..conftest import small_config


def tiny_model(family: str = "spike-driven-transformer", seed: int = 0) -> nn.Module:
    return calibrated(small_config(family, embed_dim=8, depth=1, heads=2), seed).float()


@contextmanager
def counted() -> Iterator[list[PruningPlan]]:
    """Every plan that is really measured."""
    seen: list[PruningPlan] = []
    real = evaluator.ask

    def ask(model: nn.Module, plan: PruningPlan, *rest: object) -> Measured:
        seen.append(plan)
        return real(model, plan, *rest)  # type: ignore[arg-type]

    with mock.patch.object(evaluator, "ask", ask):
        yield seen
