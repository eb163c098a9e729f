"""Memory computed by hand on a tiny model, and what inference needs beside it."""

import pytest
import torch
from torch import nn

from primesvt.models import build, fingerprint, model_bytes
from primesvt.pruning import (
    PruningPlan,
    inference_state,
    kept_bytes,
    kept_channels,
    largest_saving,
    memory_saving,
    prune,
    pruned_bytes,
)

from ..conftest import small_config


def tiny() -> nn.Module:
    """Spikformer with an embedding of 8, stem 1-2-4-8, one block with one head and 16 hidden channels."""
    return build(small_config("spikformer", embed_dim=8, depth=1, heads=1))


def conv_bn(inputs: int, outputs: int, kernel: int) -> int:
    """Bytes: float32 weights, four float32 numbers per channel of BatchNorm, and its int64 counter."""
    return 4 * inputs * outputs * kernel * kernel + 4 * 4 * outputs + 8


HEAD = 4 * (8 * 3 + 3)
STEM = conv_bn(1, 1, 3) + conv_bn(1, 2, 3) + conv_bn(2, 4, 3)
WHOLE = STEM + conv_bn(4, 8, 3) + conv_bn(8, 8, 3) + 4 * conv_bn(8, 8, 1) + conv_bn(8, 16, 1) + conv_bn(16, 8, 1) + HEAD


def test_the_whole_model() -> None:
    assert model_bytes(tiny()) == pruned_bytes(tiny(), PruningPlan()) == WHOLE
    assert memory_saving(tiny(), PruningPlan()) == 0


@pytest.mark.parametrize(
    ("ratios", "removed"),
    [
        # Hidden 16 -> 8: half of both MLP layers.
        ({"blocks.0.hidden": 0.5}, 8 * (4 * 8 + 16) + 8 * 4 * 8),
        # Query and key 8 -> 4: nobody reads them, they meet in a product.
        ({"blocks.0.query_key": 0.5}, 2 * 4 * (4 * 8 + 16)),
        # Value 8 -> 4, and the projection's input.
        ({"blocks.0.value": 0.5}, 4 * (4 * 8 + 16) + 4 * 4 * 8),
        # The third stem stage 4 -> 2, and the input of the fourth.
        ({"stem.2": 0.5}, 2 * (4 * 2 * 9 + 16) + 4 * 2 * 8 * 9),
        # A writer 8 -> 6 stores which channels it writes, two bytes each.
        ({"blocks.0.output": 0.25}, 2 * (4 * 16 + 16) - 2 * 6),
        # The fourth stage writes, and the position convolution reads it: 8 -> 4.
        ({"stem.3": 0.5}, 4 * (4 * 4 * 9 + 16) + 4 * 4 * 8 * 9 - 2 * 4),
        # Too little to remove a channel.
        ({"blocks.0.hidden": 0.05}, 0),
    ],
)
def test_plans_by_hand(ratios: dict[str, float], removed: int) -> None:
    plan = PruningPlan(ratios)
    assert pruned_bytes(tiny(), plan) == WHOLE - removed
    assert model_bytes(prune(tiny(), plan)) == WHOLE - removed
    assert memory_saving(tiny(), plan) == pytest.approx(removed / WHOLE)


def test_the_embedding_by_hand() -> None:
    """8 -> 4: writers lose half of their filters and need no index, readers half of their input."""
    plan = PruningPlan({"embedding": 0.5})
    writers = STEM + conv_bn(4, 4, 3) + conv_bn(4, 4, 3) + conv_bn(8, 4, 1) + conv_bn(16, 4, 1)
    readers = 3 * conv_bn(4, 8, 1) + conv_bn(4, 16, 1) + 4 * (4 * 3 + 3)
    assert pruned_bytes(tiny(), plan) == model_bytes(prune(tiny(), plan)) == writers + readers


def test_a_plan_may_cost_more_than_it_saves() -> None:
    """One of 32 filters over one channel saves 20 bytes; the index of the other 31 takes 62."""
    config = small_config("spikformer", embed_dim=32, depth=1)
    narrow = build(config.with_widths({"blocks.0.hidden": 1}))
    plan = PruningPlan({"blocks.0.output": 1 / 32})
    assert pruned_bytes(narrow, plan) - model_bytes(narrow) == 62 - (4 + 16)
    assert memory_saving(narrow, plan) < 0


def test_an_index_goes_when_the_stream_shrinks_to_it() -> None:
    narrow = prune(tiny(), PruningPlan({"blocks.0.output": 0.5}))
    plan = PruningPlan({"embedding": 0.5})
    assert pruned_bytes(narrow, plan) == model_bytes(prune(narrow, plan))


@pytest.mark.parametrize(("dtype", "size"), [(torch.float64, 8), (torch.float16, 2), (torch.bfloat16, 2)])
def test_bytes_follow_the_stored_dtype(dtype: torch.dtype, size: int) -> None:
    model, counters = tiny().to(dtype), 8 * 11
    assert model_bytes(model) == (WHOLE - counters) * size // 4 + counters
    plan = PruningPlan({"blocks.0.output": 0.5, "stem.2": 0.5})
    assert pruned_bytes(model, plan) == model_bytes(prune(model, plan))


def test_counting_builds_and_changes_nothing(make_model, family: str) -> None:
    model = make_model(family)
    before = fingerprint(model)
    plan = PruningPlan(dict.fromkeys(model.config.widths, 0.4))
    assert kept_bytes(model, kept_channels(model, plan)) == pruned_bytes(model, plan) < model_bytes(model)
    assert fingerprint(model) == before


def test_the_most_there_is_to_save() -> None:
    layers = ("blocks.0.hidden", "stem.2")
    plan = PruningPlan(dict.fromkeys(layers, 0.9))
    assert largest_saving(tiny(), layers, 0.9) == memory_saving(tiny(), plan) > 0
    assert largest_saving(tiny(), (), 0.9) == 0


def test_neurons_of_spikformer_by_hand() -> None:
    """8x8 pixels, the last two stages pool: 64, 64, 16, 4 positions; then 4 tokens."""
    stem = 1 * 64 + 2 * 64 + 4 * 16 + 8 * 4 + 8 * 4
    block = (8 + 8 + 8 + 8 + 8 + 16 + 8) * 4
    state = inference_state(tiny())
    assert state.neurons == stem + block
    assert state.membrane_bytes == 4 * (stem + block)
    assert state.spike_bytes == -(-(stem + block) // 8)


def test_neurons_of_the_spike_driven_transformer_by_hand() -> None:
    """The first neurons fire before pooling; attention sums over the tokens; the head's fire once per channel."""
    model = build(small_config("spike-driven-transformer", embed_dim=8, depth=1, heads=1))
    stem = 1 * 64 + 2 * 64 + 4 * 64 + 8 * 4
    block = 8 * 4 + 3 * 8 * 4 + 8 + 8 * 4 + 16 * 4
    assert inference_state(model).neurons == stem + block + 8


def test_looking_at_the_state_changes_nothing(make_model, family: str) -> None:
    model = make_model(family)
    before = fingerprint(model)
    expected = inference_state(model)
    model.train()
    assert inference_state(model) == expected
    assert model.training
    assert fingerprint(model) == before
    assert not any(module._forward_hooks for module in model.modules())
    assert inference_state(model.double()) == expected


def test_pruning_shrinks_the_state(make_model, family: str) -> None:
    model = make_model(family)
    pruned = prune(model, PruningPlan({"stem.1": 0.5}))
    assert inference_state(model).neurons - inference_state(pruned).neurons == 2 * 64
