"""Surgery is equality: a pruned model answers as the original with the removed channels forced to zero."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from primesvt.models import build, channel_groups, config_of, fingerprint, load_model, model_bytes, save_model
from primesvt.pruning import (
    CRITERIA,
    PruningPlan,
    kept_bytes,
    kept_channels,
    kept_count,
    prunable_layers,
    prune,
    pruned_bytes,
)

from ..conftest import FAMILIES, enliven, firing_rates, small_config


def lively(family: str, seed: int = 0, **sizes: int) -> nn.Module:
    torch.manual_seed(seed)
    return enliven(build(small_config(family, **sizes)), seed).double()


MODELS = {family: lively(family) for family in FAMILIES}
LAYERS = {family: [g.name for g in channel_groups(model)] for family, model in MODELS.items()}


@st.composite
def plans(draw: st.DrawFn) -> tuple[str, PruningPlan]:
    family = draw(st.sampled_from(FAMILIES))
    layers = draw(st.lists(st.sampled_from(LAYERS[family]), unique=True))
    ratios = {layer: draw(st.floats(0, 0.99)) for layer in layers}
    return family, PruningPlan(ratios, draw(st.sampled_from(sorted(CRITERIA))))


def masked_logits(model: nn.Module, plan: PruningPlan, images: torch.Tensor) -> torch.Tensor:
    """Logits of the unpruned model, with the channels that the plan removes forced to zero where they are read."""
    kept, config = kept_channels(model, plan), config_of(model)
    modules, hooks = dict(model.named_modules()), []
    for group in channel_groups(model):
        mask = torch.zeros(config.widths[group.name], dtype=images.dtype)
        mask[kept[group.name]] = 1

        def silence(_module, inputs, mask=mask):
            x = inputs[0]
            return (x * (mask if x.ndim == 2 else mask.view(-1, 1, 1)),) if x.ndim != 3 else (x * mask,)

        def mute(_module, _inputs, output, mask=mask):
            return output * mask.view(-1, 1, 1)

        hooks += [modules[reader].register_forward_pre_hook(silence) for reader in group.readers]
        if group.stream is not None or not group.readers:
            # Written into the stream, or read by a product: zero before the neuron is zero after it.
            norms = [modules[f] for f in group.filters if isinstance(modules[f], nn.BatchNorm2d)]
            hooks += [norm.register_forward_hook(mute) for norm in norms]
    with torch.no_grad():
        logits = model(images)
    for hook in hooks:
        hook.remove()
    return logits


@given(plans(), st.integers(0, 3), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_pruned_equals_masked(case: tuple[str, PruningPlan], seed: int, events: bool) -> None:
    family, plan = case
    model = MODELS[family]
    images = torch.randn((3, 2, 1, 8, 8) if events else (2, 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    pruned = prune(model, plan)
    with torch.no_grad():
        difference = (pruned(images.double()) - masked_logits(model, plan, images.double())).abs().max()
    assert difference <= 1e-9


@given(plans())
@settings(max_examples=60)
def test_planned_bytes_are_the_bytes_of_the_tensors(case: tuple[str, PruningPlan]) -> None:
    family, plan = case
    assert pruned_bytes(MODELS[family], plan) == model_bytes(prune(MODELS[family], plan))


@given(plans(), plans())
@settings(max_examples=40)
def test_a_pruned_model_can_be_pruned(first: tuple[str, PruningPlan], second: tuple[str, PruningPlan]) -> None:
    family, plan = first
    once = prune(MODELS[family], plan)
    again = PruningPlan({k: v for k, v in second[1].ratios.items() if k in LAYERS[family]}, second[1].criterion)
    twice = prune(once, again)
    images = torch.randn((2, 1, 8, 8), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (twice(images) - masked_logits(once, again, images)).abs().max() <= 1e-9
    assert pruned_bytes(once, again) == model_bytes(twice)


@given(plans(), st.randoms())
def test_the_order_of_ratios_does_not_matter(case: tuple[str, PruningPlan], random) -> None:
    family, plan = case
    shuffled = list(plan.ratios.items())
    random.shuffle(shuffled)
    other = PruningPlan(dict(shuffled), plan.criterion)
    assert other == plan
    assert kept_bytes(MODELS[family], kept_channels(MODELS[family], other)) == pruned_bytes(MODELS[family], plan)


@given(plans())
def test_widths_stay_valid(case: tuple[str, PruningPlan]) -> None:
    family, plan = case
    kept = kept_channels(MODELS[family], plan)
    for group in channel_groups(MODELS[family]):
        channels = kept[group.name]
        assert len(channels) >= group.heads
        assert len(channels) % group.heads == 0
        assert (channels.diff() > 0).all()
        per_head = config_of(MODELS[family]).widths[group.name] // group.heads
        assert len(set(torch.bincount(channels // per_head, minlength=group.heads).tolist())) == 1


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
def test_the_empty_plan_changes_nothing(name: str) -> None:
    pruned = prune(MODELS[name], PruningPlan({LAYERS[name][0]: 0.0}))
    assert fingerprint(pruned) == fingerprint(MODELS[name])
    images = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    assert torch.equal(pruned(images), MODELS[name](images))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_original_is_untouched_and_shares_nothing(name: str) -> None:
    model = MODELS[name]
    before = fingerprint(model)
    pruned = prune(model, PruningPlan({"blocks.0.hidden": 0.5}))
    for tensor in pruned.state_dict().values():
        tensor.zero_()
    assert fingerprint(model) == before


@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_of_a_pruned_model_holds_the_planned_bytes(name: str, tmp_path) -> None:
    model = lively(name).float()
    plan = PruningPlan(dict.fromkeys(LAYERS[name], 0.3))
    save_model(prune(model, plan), tmp_path / "m")
    with safe_open(tmp_path / "m" / "model.safetensors", "pt") as file:
        stored = sum(file.get_tensor(k).numel() * file.get_tensor(k).element_size() for k in file.keys())  # noqa: SIM118
    assert stored == pruned_bytes(model, plan) < model_bytes(model)
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(load_model(tmp_path / "m")(images), prune(model, plan)(images))
    assert json.loads((tmp_path / "m" / "config.json").read_text())["widths"]["embedding"] == 12


@pytest.mark.parametrize("name", FAMILIES)
def test_a_pruned_model_trains(name: str) -> None:
    pruned = prune(MODELS[name], PruningPlan(dict.fromkeys(LAYERS[name], 0.4))).train()
    pruned(torch.randn(4, 1, 8, 8, dtype=torch.float64)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in pruned.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_the_neurons_of_the_test_models_are_alive(name: str) -> None:
    images = torch.randn(16, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rates = firing_rates(MODELS[name], images)
    assert sum(rates) / len(rates) > 0.1
    assert min(rates) > 0.05
    # Saturated neurons are as dead as silent ones: every image must have its own answer.
    assert max(rates) < 0.8
    with torch.no_grad():
        assert len(MODELS[name](images).unique(dim=0)) >= 12


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
