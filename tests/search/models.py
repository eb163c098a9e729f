"""The smallest models and data on which a search makes sense, and a count of evaluations."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import nn

from primesvt.models import build
from primesvt.pruning import PruningPlan
from primesvt.search import Evaluation, evaluator

from ..conftest import enliven, small_config


def tiny_model(family: str = "spike-driven-transformer", seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return enliven(build(small_config(family, embed_dim=8, depth=1, heads=2)), seed)


@contextmanager
def counted() -> Iterator[list[PruningPlan]]:
    """Every plan that is really measured."""
    seen: list[PruningPlan] = []
    real = evaluator.measure

    def measure(model: nn.Module, plan: PruningPlan, *rest: object) -> Evaluation:
        seen.append(plan)
        return real(model, plan, *rest)  # type: ignore[arg-type]

    with mock.patch.object(evaluator, "measure", measure):
        yield seen
