"""Whole residual branches go: what a plan may remove, and what is left then."""

import json

import pytest
import torch
from torch import nn

from primesvt.models import PrimeSVTError, config_of, load_model, model_bytes, save_model
from primesvt.pruning import (
    PruningPlan,
    branches,
    kept_channels,
    kept_channels_of,
    prunable_layers,
    prune,
    pruned_bytes,
)
from primesvt.pruning.masking import masked_logits

ATTENTION = {
    "spike-driven-transformer": ("blocks.1.attention", "blocks.1.projection"),
    "spikformer": ("blocks.1.query_key", "blocks.1.value", "blocks.1.projection"),
}
IMAGES = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def without(model: nn.Module, *names: str, **ratios: float) -> PruningPlan:
    """A plan that removes some branches."""
    layers = branches(model)
    return PruningPlan({layer: 1.0 for name in names for layer in layers[name]} | ratios)


def test_the_branches_are_in_the_order_of_the_forward_pass(make_model, family: str) -> None:
    found = branches(make_model(family))
    assert list(found) == ["blocks.0.mixer", "blocks.0.mlp", "blocks.1.mixer", "blocks.1.mlp"]
    assert found["blocks.1.mixer"] == ATTENTION[family]
    assert found["blocks.0.mlp"] == ("blocks.0.hidden", "blocks.0.output")


def test_a_part_of_a_branch_is_refused_and_the_rest_is_named(make_model, family: str) -> None:
    model = make_model(family)
    first, *rest = ATTENTION[family]
    told = rf"{first} can lose all of its channels only with all .* blocks\.1\.mixer: give {', '.join(rest)} the ratio"
    with pytest.raises(PrimeSVTError, match=told):
        kept_channels(model, PruningPlan({first: 1, **dict.fromkeys(rest, 0.95)}))


@pytest.mark.parametrize("layer", ["stem.0", "stem.3", "position", "embedding"])
def test_what_is_no_residual_branch_cannot_go(make_model, layer: str) -> None:
    with pytest.raises(PrimeSVTError, match=rf"{layer} cannot lose all of its channels: .* ratio below 1"):
        prune(make_model(), PruningPlan({layer: 1.0}))


def test_a_plan_that_removes_is_data(make_model) -> None:
    plan = without(make_model(), "blocks.0.mlp")
    assert PruningPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert dict(plan.ratios) == {"blocks.0.hidden": 1.0, "blocks.0.output": 1.0}


def test_of_all_branches_nothing_is_left(make_model, family: str, tmp_path) -> None:
    model = make_model(family)
    plan = without(model, *branches(model), embedding=0.5)
    bare = prune(model, plan)
    assert not [name for name in bare.state_dict() if name.startswith("blocks.")]
    assert model_bytes(bare) == pruned_bytes(model, plan)
    with torch.no_grad():
        assert torch.allclose(bare(IMAGES), masked_logits(model, kept_channels(model, plan), IMAGES), atol=1e-5)
    save_model(bare, tmp_path / "bare")
    loaded = load_model(tmp_path / "bare")
    assert branches(loaded) == {}
    assert {layer.name for layer in prunable_layers(loaded)} == {"stem.0", "stem.1", "stem.2", "stem.3", "position"}
    with torch.no_grad():
        assert torch.equal(loaded(IMAGES), bare(IMAGES))
    with pytest.raises(PrimeSVTError, match=r"blocks\.0\.hidden"):
        prune(loaded, PruningPlan({"blocks.0.hidden": 0.5}))


def test_a_branch_gone_has_no_say_in_what_its_stream_keeps(make_model, family: str) -> None:
    model = make_model(family)
    # It alone thinks that the second half of the stream is important.
    with torch.no_grad():
        model.get_submodule("blocks.1.output.conv").weight[8:] *= 1e3
    loud, quiet = PruningPlan({"embedding": 0.5}), without(model, "blocks.1.mlp", embedding=0.5)
    assert kept_channels(model, loud)["embedding"].tolist() == list(range(8, 16))
    assert kept_channels(model, quiet)["embedding"].tolist() != list(range(8, 16))


def test_what_was_removed_is_found_by_the_weights(make_model, family: str) -> None:
    model = make_model(family)
    plan = without(model, "blocks.0.mixer", "blocks.1.mlp", **{"stem.1": 0.5, "embedding": 0.25})
    kept, found = kept_channels(model, plan), kept_channels_of(model, prune(model, plan))
    assert all(torch.equal(found[layer], channels) for layer, channels in kept.items() if layer != "embedding")


def test_a_configuration_has_all_of_a_branch_or_nothing(make_model, family: str) -> None:
    config = config_of(make_model(family))
    with pytest.raises(PrimeSVTError, match=r"width of blocks\.0\.hidden must be between 1 and 16384, got 0"):
        config.with_widths({"blocks.0.hidden": 0})
    with pytest.raises(PrimeSVTError, match=r"width of stem\.1 must be between 1 and 16384, got 0"):
        config.with_widths({"stem.1": 0})
    bare = config.with_widths({"blocks.0.hidden": 0, "blocks.0.output": 0})
    assert bare.removed == {"blocks.0.hidden", "blocks.0.output"}
    assert type(config).from_json(json.loads(json.dumps(bare.to_json()))) == bare
    (stream,) = (group for group in bare.groups_left() if group.kind == "embedding")
    assert "blocks.0.hidden.conv" not in stream.readers
    assert "blocks.1.hidden.conv" in stream.readers
    assert config.groups_left() == config.groups()
