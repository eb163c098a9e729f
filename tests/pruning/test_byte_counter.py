"""Counting by a polynomial equals counting tensors, for every family and every plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from primesvt.models import channel_groups, model_bytes
from primesvt.pruning import ByteCounter, PruningPlan, branches, prune, pruned_bytes
from primesvt.pruning.family_contract import lively_model

from ..conftest import FAMILIES, small_config

MODELS: dict[str, nn.Module] = {}
for _family in FAMILIES:
    MODELS[_family] = lively_model(small_config(_family))
    # Its writers have indices, each with channels of its own.
    _names = [group.name for group in channel_groups(MODELS[_family])]
    MODELS[f"{_family}, pruned"] = prune(MODELS[_family], PruningPlan(dict.fromkeys(_names, 0.3)))
COUNTERS = {name: ByteCounter.of(model) for name, model in MODELS.items()}
IN_MULTIPLES = {name: ByteCounter.of(model, multiple=3) for name, model in MODELS.items()}


@st.composite
def plans(draw: st.DrawFn) -> tuple[str, dict[str, float]]:
    name = draw(st.sampled_from(sorted(MODELS)))
    layers = [group.name for group in channel_groups(MODELS[name])]
    chosen = draw(st.lists(st.sampled_from(layers), unique=True))
    ratios = {layer: draw(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.77, 0.99])) for layer in chosen}
    whole = branches(MODELS[name])
    gone = draw(st.lists(st.sampled_from(sorted(whole)), unique=True, max_size=2))
    return name, ratios | {layer: 1.0 for branch in gone for layer in whole[branch]}


@given(plans())
def test_equals_the_bytes_of_tensors(case: tuple[str, dict[str, float]]) -> None:
    name, ratios = case
    assert COUNTERS[name].bytes(ratios) == pruned_bytes(MODELS[name], PruningPlan(ratios))
    assert IN_MULTIPLES[name].bytes(ratios) == pruned_bytes(MODELS[name], PruningPlan(ratios, multiple=3))


@given(plans(), st.data())
def test_along_one_layer(case: tuple[str, dict[str, float]], data: st.DataObject) -> None:
    name, ratios = case
    layer = data.draw(st.sampled_from(sorted(each for each in COUNTERS[name].groups if ratios.get(each) != 1)))
    choices = (0.0, 0.25, 0.9)
    counted = COUNTERS[name].along(ratios, layer, choices)
    assert counted.tolist() == [COUNTERS[name].bytes({**ratios, layer: ratio}) for ratio in choices]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_whole_model(name: str) -> None:
    assert COUNTERS[name].bytes({}) == model_bytes(MODELS[name])
