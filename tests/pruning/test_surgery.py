"""Surgery beyond the contract of a family (``test_family_contract.py``): plans, counts and criteria."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from primesvt.models import channel_groups, fingerprint
from primesvt.pruning import (
    PruningPlan,
    kept_bytes,
    kept_channels,
    kept_count,
    prunable_layers,
    prune,
    pruned_bytes,
)
from primesvt.pruning.family_contract import lively_model

from ..conftest import FAMILIES, small_config

MODELS: dict[str, nn.Module] = {family: lively_model(small_config(family)) for family in FAMILIES}
LAYERS = {family: [g.name for g in channel_groups(model)] for family, model in MODELS.items()}


@st.composite
def ratios(draw: st.DrawFn) -> tuple[str, dict[str, float]]:
    family = draw(st.sampled_from(FAMILIES))
    layers = draw(st.lists(st.sampled_from(LAYERS[family]), unique=True))
    return family, {layer: draw(st.floats(0, 0.99)) for layer in layers}


@given(ratios(), st.randoms())
def test_the_order_of_ratios_does_not_matter(case: tuple[str, dict[str, float]], random) -> None:
    family, chosen = case
    shuffled = list(chosen.items())
    random.shuffle(shuffled)
    plan, other = PruningPlan(chosen), PruningPlan(dict(shuffled))
    assert other == plan
    assert kept_bytes(MODELS[family], kept_channels(MODELS[family], other)) == pruned_bytes(MODELS[family], plan)


@given(st.integers(1, 64), st.integers(1, 8), st.floats(0, 0.999))
def test_kept_count(per_head: int, heads: int, ratio: float) -> None:
    count = kept_count(per_head * heads, ratio, heads)
    assert count % heads == 0
    assert heads <= count <= per_head * heads
    assert per_head - count // heads <= ratio * per_head + 1e-6


def test_kept_count_is_exact_where_floating_point_is_not() -> None:
    assert kept_count(10, 0.3) == 7
    assert kept_count(384, 0.7) == 116
    assert kept_count(100, 0.29) == 71


@pytest.mark.parametrize("name", FAMILIES)
def test_the_original_is_untouched_and_shares_nothing(name: str) -> None:
    model = MODELS[name]
    before = fingerprint(model)
    pruned = prune(model, PruningPlan({"blocks.0.hidden": 0.5}))
    for tensor in pruned.state_dict().values():
        tensor.zero_()
    assert fingerprint(model) == before


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_of_a_layer_shrinks_with_it(name: str) -> None:
    layers = prunable_layers(MODELS[name])
    assert sum(layer.share for layer in layers) >= 0.95
    assert [layer.parameters for layer in layers] == sorted((layer.parameters for layer in layers), reverse=True)


def test_removing_the_least_important_by_l2() -> None:
    model = MODELS["spike-driven-transformer"]
    norms = model.blocks[0].hidden.conv.weight.flatten(1).norm(dim=1)
    kept = kept_channels(model, PruningPlan({"blocks.0.hidden": 0.5}))["blocks.0.hidden"]
    assert set(kept.tolist()) == set(norms.argsort(descending=True)[:16].tolist())
