"""Models whose neurons fire, images, and plans, all drawn at random: what a proof of pruning needs."""

import copy
import json
from functools import lru_cache
from typing import Any

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import nn

from primesvt.models import (
    ModelConfig,
    build,
    channel_groups,
)
from primesvt.models.layers.norm import affine

from ..branches import branches
from ..criteria import CRITERIA
from ..plan import PruningPlan

# Of answers that are the same, in float64.
TOLERANCE = 1e-9

# The model comes from a fixture, once per test; several families inherit the same test.
SETTINGS = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def lively_model(config: ModelConfig, seed: int = 0) -> nn.Module:
    """A model in float64 and evaluation mode, whose random weights make its neurons fire.

    BatchNorm gets random scales and shifts, and the statistics of random images, layer by layer.

    Args:
        config: Any configuration.
        seed: Of weights and images.
    """
    family: Any = type(config)
    return copy.deepcopy(_lively(family, json.dumps(config.to_json()), seed))


# The tests of a family ask for the same one again and again, and some change it. By what a configuration says: one of
# another package may hold a list.
@lru_cache(8)
def _lively(family: Any, said: str, seed: int) -> nn.Module:
    config = family.from_json(json.loads(said))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build(config).double()
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            nn.init.uniform_(norm.weight, 1.0, 2.5)
            nn.init.uniform_(norm.bias, -0.5, 1.0)
            norm.momentum = 1.0
        with torch.no_grad():
            model.train()(torch.randn(32, config.in_channels, *config.image_size, dtype=torch.float64))
        for norm in norms:
            norm.momentum = 0.1
    return model.eval()


def dyadic(model: nn.Module) -> nn.Module:
    """A copy in float32 whose sums round nothing, so that all orders of adding them up give the same answers.

    Weights are some whole numbers times a power of two, BatchNorm's factors powers of two, and its means zero.
    """
    exact = copy.deepcopy(model).float()
    for module in exact.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            unit = 2.0 ** torch.round(torch.log2(module.weight.data.std(correction=0) + 1e-9))
            module.weight.data = torch.round(module.weight.data / unit).clamp(-3, 3) * unit
            if module.bias is not None:
                module.bias.data = torch.round(module.bias.data * 16) / 16
        elif isinstance(module, nn.BatchNorm2d):
            factor, summand = affine(module)
            module.bias.data = (torch.round(summand * 16) / 16).float()
            module.weight.data = 2.0 ** torch.round(torch.log2(factor.abs() + 1e-9)).float()
            module.running_mean = torch.zeros_like(module.bias)
            # With what is added to it, one.
            module.running_var = torch.ones_like(module.bias) - module.eps
    return exact.eval()


def random_images(config: ModelConfig, *leading: int, seed: int = 0) -> torch.Tensor:
    """Images ``[N, C, H, W]``, or event sequences where ``leading`` is ``T, N``, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((*leading, config.in_channels, *config.image_size), generator=generator, dtype=torch.float64)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


@st.composite
def plans(draw: st.DrawFn, model: nn.Module) -> PruningPlan:
    """A plan for some layers of a model, at any ratios, by any criterion, for multiples of a few channels.

    Of two plans one removes some residual branches, too.
    """
    names = [group.name for group in channel_groups(model)]
    layers = draw(st.lists(st.sampled_from(names), unique=True))
    ratios = {layer: draw(st.floats(0, 0.99)) for layer in layers}
    whole = branches(model)
    if draw(st.booleans()) and whole:
        gone = draw(st.lists(st.sampled_from(list(whole.values())), unique=True, max_size=3))
        ratios |= {layer: 1.0 for own in gone for layer in own}
    weights_alone = sorted(name for name, criterion in CRITERIA.items() if not criterion.needs_statistics)
    return PruningPlan(ratios, draw(st.sampled_from(weights_alone)), multiple=draw(st.sampled_from([1, 2, 3])))
