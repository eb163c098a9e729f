"""Which channels stay: the largest scores, the same number in every head, and no writer without a channel."""

import pytest
import torch
from torch import nn

from primesvt.models import PrimeSVTError, model_bytes
from primesvt.pruning import PruningPlan, kept_channels, prune, pruned_bytes


def rank(model: nn.Module, layer: str, scores: list[float]) -> None:
    """Give the filters of a layer the L2 norms that ``scores`` says."""
    weight = model.get_submodule(layer).conv.weight.data
    weight.zero_()
    weight[:, 0, 0, 0] = torch.tensor(scores)


def kept(model: nn.Module, layer: str, ratio: float, **others: float) -> list[int]:
    return kept_channels(model, PruningPlan({layer: ratio, **others}))[layer].tolist()


def test_the_smallest_go(make_model, family: str) -> None:
    model = make_model(family)
    rank(model, "stem.1", [3.0, -5.0, 1.0, 4.0])
    assert kept(model, "stem.1", 0.0) == [0, 1, 2, 3]
    assert kept(model, "stem.1", 0.25) == [0, 1, 3]
    assert kept(model, "stem.1", 0.5) == [1, 3]
    assert kept(model, "stem.1", 0.99) == [1]


def test_of_equal_ones_the_first_stay(make_model, family: str) -> None:
    model = make_model(family)
    rank(model, "stem.1", [1.0, 1.0, 1.0, 1.0])
    assert kept(model, "stem.1", 0.5) == [0, 1]


def test_every_head_loses_its_own_smallest(make_model) -> None:
    model = make_model("spikformer", heads=4)
    rank(model, "blocks.0.value", [1, 2, 3, 4, 40, 30, 20, 10, 100, 400, 200, 300, 9, 9, 8, 9])
    assert kept(model, "blocks.0.value", 0.5) == [2, 3, 4, 5, 9, 11, 12, 13]
    assert kept(model, "blocks.0.value", 0.99) == [3, 4, 9, 12]


def test_query_and_key_are_ranked_together(make_model) -> None:
    model = make_model("spikformer", heads=4)
    rank(model, "blocks.0.query", [1, 2, 3, 4] * 4)
    rank(model, "blocks.0.key", [9, 1, 3, 1] * 4)
    # Squares add up: 82, 5, 18, 17.
    assert kept(model, "blocks.0.query_key", 0.5) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_the_stream_goes_first_and_its_writers_follow(make_model, family: str) -> None:
    model = make_model(family)
    plan = PruningPlan({"embedding": 0.5, "blocks.0.output": 0.5})
    channels = kept_channels(model, plan)
    stream = set(channels["embedding"].tolist())
    assert len(stream) == 8
    # A ratio of a writer applies to what the stream left of it.
    assert len(channels["blocks.0.output"]) == 4
    assert set(channels["blocks.0.output"].tolist()) < stream
    assert set(channels["position"].tolist()) == stream
    assert len(channels["blocks.0.hidden"]) == model.config.widths["blocks.0.hidden"]


def test_the_stream_keeps_the_channels_that_its_writers_write_most(make_model, family: str) -> None:
    model = make_model(family)
    writers = [g.name for g in model.config.groups() if g.stream]
    for i, layer in enumerate(writers):
        rank(model, layer, [1.0 if c == i else 0.0 for c in range(16)])
    assert kept(model, "embedding", 1 - len(writers) / 16) == list(range(len(writers)))


def test_no_writer_is_left_without_a_channel(make_model, family: str) -> None:
    model = make_model(family)
    writers = [g.name for g in model.config.groups() if g.stream]
    for i, layer in enumerate(writers):
        rank(model, layer, [1.0 if c == i else 0.0 for c in range(16)])
    narrow = prune(model, PruningPlan(dict.fromkeys(writers, 0.99)))
    assert {narrow.config.widths[layer] for layer in writers} == {1}
    pruned = prune(narrow, PruningPlan({"embedding": 0.99}))
    assert pruned.config.widths["embedding"] == len(writers)
    assert all(pruned.config.widths[layer] == 1 for layer in writers)
    assert pruned(torch.randn(2, 1, 8, 8)).shape == (2, 3)


def test_a_narrow_writer_keeps_its_best_channel_whatever_its_rank(make_model, family: str) -> None:
    model = make_model(family)
    rank(model, "blocks.0.output", [0.0, 0.002, 0.001] + [0.0] * 13)
    model = prune(model, PruningPlan({"blocks.0.output": 14 / 16}))
    assert model.get_submodule("blocks.0.output_index").channels.tolist() == [1, 2]
    for layer in (g.name for g in model.config.groups() if g.stream and g.name != "blocks.0.output"):
        rank(model, layer, [0.0, 0.0, 0.0, *range(13)])
    assert kept(model, "embedding", 12 / 16) == [1, 13, 14, 15]


def test_every_layer_is_named(make_model, family: str) -> None:
    model = make_model(family)
    channels = kept_channels(model, PruningPlan())
    assert {name: len(indices) for name, indices in channels.items()} == dict(model.config.widths)


def test_layers_that_lose_channels_keep_a_multiple(make_model, family: str) -> None:
    model = make_model(family)
    groups = {group.name: group for group in model.config.groups()}
    for ratio in (0.3, 0.6, 0.99):
        plan = PruningPlan(dict.fromkeys(groups, ratio), multiple=3)
        channels = kept_channels(model, plan)
        for name, group in groups.items():
            own, heads = len(channels[name]), 1 if group.stream else group.heads
            whole = len(channels[group.stream]) if group.stream else model.config.widths[name]
            assert own % (3 * heads) == 0 or own == whole, name
        pruned = prune(model, plan)
        assert dict(pruned.config.widths) == {name: len(kept) for name, kept in channels.items()}
        assert model_bytes(pruned) == pruned_bytes(model, plan)


def test_a_stream_keeps_a_multiple_also_where_its_writers_need_more(make_model, family: str) -> None:
    model = make_model(family)
    writers = [g.name for g in model.config.groups() if g.stream]
    for i, layer in enumerate(writers):
        rank(model, layer, [1.0 if c == i else 0.0 for c in range(16)])
    narrow = prune(model, PruningPlan(dict.fromkeys(writers, 0.99)))
    assert len(writers) % 4
    assert len(kept_channels(narrow, PruningPlan({"embedding": 0.99}, multiple=4))["embedding"]) == 8


def test_unknown_layers_are_refused(make_model, family: str) -> None:
    with pytest.raises(
        PrimeSVTError,
        match=r"Unknown layer 'blocks\.9\.hidden'; did you mean blocks\.1\.hidden\? This model has stem\.0",
    ):
        kept_channels(make_model(family), PruningPlan({"blocks.0.hidden": 0.1, "blocks.9.hidden": 0.0}))
