"""The layers as the policy sees them: the largest first, with the parameters of their own filters."""

import pytest
from torch import nn

from primesvt.models import PrimeSVTError, parameter_count
from primesvt.pruning import PruningPlan, check_layers, choose_layers, matching_layers, prunable_layers, prune


def by_name(model: nn.Module, **options: bool) -> dict:
    return {layer.name: layer for layer in prunable_layers(model, **options)}


def test_spikformer_by_hand(make_model) -> None:
    """Embedding 16, stem 2-4-8-16, hidden 32, no biases; BatchNorm has two numbers per channel."""
    layers = by_name(make_model("spikformer"))
    expected = {
        "stem.0": 2 * 1 * 9 + 2 * 2,
        "stem.1": 4 * 2 * 9 + 2 * 4,
        "stem.2": 8 * 4 * 9 + 2 * 8,
        "stem.3": 16 * 8 * 9 + 2 * 16,
        "position": 16 * 16 * 9 + 2 * 16,
    }
    for b in range(2):
        expected |= {
            f"blocks.{b}.query_key": 2 * (16 * 16 + 2 * 16),
            f"blocks.{b}.value": 16 * 16 + 2 * 16,
            f"blocks.{b}.projection": 16 * 16 + 2 * 16,
            f"blocks.{b}.hidden": 32 * 16 + 2 * 32,
            f"blocks.{b}.output": 16 * 32 + 2 * 16,
        }
    assert {name: layer.parameters for name, layer in layers.items()} == expected
    head = 3 * 16 + 3
    assert parameter_count(make_model("spikformer")) == sum(expected.values()) + head
    for name, layer in layers.items():
        assert layer.share == pytest.approx(expected[name] / (sum(expected.values()) + head))
    assert layers["blocks.1.value"].heads == 4
    assert layers["blocks.1.value"].kind == "attention"
    assert layers["blocks.1.value"].consumed_by == ("blocks.1.projection.conv",)
    assert layers["blocks.1.query_key"].consumed_by == ()


def test_spike_driven_transformer_by_hand(make_model) -> None:
    """The same stem; query, key and value together; the last three layers have biases."""
    layers = by_name(make_model("spike-driven-transformer"))
    assert layers["blocks.0.attention"].parameters == 3 * (16 * 16 + 2 * 16)
    assert layers["blocks.0.projection"].parameters == 16 * 16 + 16 + 2 * 16
    assert layers["blocks.0.hidden"].parameters == 32 * 16 + 32 + 2 * 32
    assert layers["blocks.0.output"].parameters == 16 * 32 + 16 + 2 * 16
    assert layers["blocks.0.attention"].heads == 1


def test_the_order_of_the_paper(make_model, family: str) -> None:
    """Sorted by parameters, the largest first; of equally large ones the nearer to the input."""
    model = make_model(family)
    layers = prunable_layers(model)
    forward = [group.name for group in model.config.groups()]
    keys = [(-layer.parameters, forward.index(layer.name)) for layer in layers]
    assert keys == sorted(keys)
    assert layers[0].name == "position"
    names = [layer.name for layer in layers]
    assert names.index("blocks.0.hidden") < names.index("blocks.1.hidden")


def test_shares_and_channels(make_model, family: str) -> None:
    model = make_model(family)
    layers = prunable_layers(model)
    assert sum(layer.parameters for layer in layers) == parameter_count(model) - 3 * 16 - 3
    assert 0.9 < sum(layer.share for layer in layers) < 1
    assert {layer.name: layer.channels for layer in layers} == {
        name: width for name, width in model.config.widths.items() if name != "embedding"
    }


def test_the_embedding_is_a_layer_on_demand(make_model, family: str) -> None:
    model = make_model(family)
    assert "embedding" not in by_name(model)
    layer = by_name(model, embedding=True)["embedding"]
    sizes = dict(model.named_modules())
    assert layer.parameters == sum(p.numel() for name in layer.consumed_by for p in sizes[name].parameters())
    assert "head" in layer.consumed_by
    assert layer.channels == 16


def test_a_pruned_model_has_smaller_layers(make_model, family: str) -> None:
    model = make_model(family)
    before, after = (by_name(m)["stem.2"] for m in (model, prune(model, PruningPlan({"stem.2": 0.5}))))
    assert (before.channels, after.channels) == (8, 4)
    assert after.parameters * 2 == before.parameters


def test_names_and_patterns_choose_layers(make_model) -> None:
    model = make_model("spikformer")
    names = tuple(layer.name for layer in prunable_layers(model, embedding=True))
    hidden = {"blocks.0.hidden", "blocks.1.hidden"}
    assert matching_layers(model, ("blocks.*.hidden", "stem.1")) == {*hidden, "stem.1"}
    # The embedding width is no layer that a star means.
    assert matching_layers(model, ("*",)) == {*names} - {"embedding"}
    assert matching_layers(model, ("embedding",)) == {"embedding"}
    assert choose_layers(model, names) == names
    assert {*choose_layers(model, names, ("blocks.*",), ("*.hidden",))} == {
        n for n in names if n[:6] == "blocks"
    } - hidden
    assert choose_layers(model, names, without=("stem.*",)) == tuple(n for n in names if n[:4] != "stem")
    with pytest.raises(PrimeSVTError, match=r"Unknown layer 'block\.\*\.hidden'; did you mean blocks\.\d\.hidden\?"):
        choose_layers(model, names, without=("block.*.hidden",))
    with pytest.raises(
        PrimeSVTError, match=r"No layer is left to prune: layers stem\.0 and exclude-layers stem\.\* leave"
    ):
        choose_layers(model, names, ("stem.0",), ("stem.*",))


def test_unknown_names_are_refused(make_model) -> None:
    model = make_model("spikformer")
    check_layers(model, ("stem.0", "embedding", "blocks.1.output"))
    with pytest.raises(
        PrimeSVTError, match=r"Unknown layer 'stem'; did you mean stem\.\d\? This model has stem\.0, .*, embedding"
    ):
        check_layers(model, ("stem.0", "stem"))
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        prunable_layers(nn.Linear(1, 1))
