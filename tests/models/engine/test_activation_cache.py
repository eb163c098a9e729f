"""What is kept of one model for the next, by which key, and within which budget."""

import numpy as np
import pytest
import torch

from primesvt.models.engine import Engine, Program
from primesvt.models.engine.activation_cache import ActivationCache, ResumingEngine, keys_of
from primesvt.models.engine.activations import Frames, Plain, Spikes

from .versions import Counting, MakeModel, layers_of, version


def test_a_prefix_is_not_computed_twice(
    make_model: MakeModel, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    program = Program(model, images.shape)
    cache = ActivationCache(10**9, np.arange(20))
    calls: list[int] = []
    original = Engine.step

    def step(self: Engine, values: dict, number: int) -> None:
        calls.append(number)
        original(self, values, number)

    monkeypatch.setattr(Engine, "step", step)
    last = layers_of(model)[-1]
    for ratio, expected in ((0.0, len(program.steps)), (0.5, 8), (0.25, 8)):
        smaller, versions = version(model, {last: ratio})
        calls.clear()
        ResumingEngine(Engine(program, smaller), cache, versions).answer(np.arange(20), Counting(images))
        assert len(calls) <= expected
    assert calls[0] > len(program.steps) // 2


def test_a_model_goes_on_from_any_step_with_images_in_any_order(
    make_model: MakeModel, family: str, images: torch.Tensor
) -> None:
    model = make_model(family)
    program, order = Program(model, images.shape), np.random.default_rng(0).permutation(20)
    engine, keys = Engine(program, model), keys_of(program, version(model, {})[1])
    expected, gone_on = engine(images)[torch.from_numpy(order)], 0
    for first in range(1, len(program.steps) + 1):
        cache, values = ActivationCache(10**9, np.arange(20)), engine.begin(images)
        for number in range(first):
            engine.step(values, number)
        for node, value in values.items():
            cache.keep(keys[node], np.arange(20), value)
        if (cache.depths(program, keys, order) == first).all():
            values = cache.recall(program, keys, order, first)
            for number in range(first, len(program.steps)):
                engine.step(values, number)
            assert torch.equal(engine.logits(values), expected), first
            gone_on += 1
    assert gone_on > len(program.steps) // 2


def test_keys_differ_exactly_from_the_pruned_layer_on(make_model: MakeModel, family: str, images: torch.Tensor) -> None:
    model = make_model(family)
    program = Program(model, images.shape)
    whole = keys_of(program, version(model, {})[1])
    assert keys_of(program, version(model, {})[1]) == whole
    for layer in layers_of(model):
        smaller, versions = version(model, {layer: 0.5})
        keys = keys_of(program, versions)
        differing = {node for node in keys if keys[node] != whole[node]}
        values, before = {program.images: Plain(images)}, {program.images: Plain(images)}
        engine, original = Engine(program, smaller), Engine(program, model)
        for number, step in enumerate(program.steps):
            engine.step(values, number)
            original.step(before, number)
            for node in set(step.nodes) & set(values) - differing:
                one, other = values[node], before[node]
                assert isinstance(one, Spikes | Frames | Plain), node
                assert torch.equal(one.plain(), other.plain()), (layer, node)


@pytest.mark.parametrize("budget", [1, 2_000, 20_000, 200_000])
def test_the_budget_is_kept_whatever_it_is(make_model: MakeModel, images: torch.Tensor, budget: int) -> None:
    model = make_model()
    program = Program(model, images.shape)
    cache = ActivationCache(budget, np.arange(20))
    for layer in [*layers_of(model), *layers_of(model)]:
        smaller, versions = version(model, {layer: 0.5})
        forward = ResumingEngine(Engine(program, smaller), cache, versions)
        with torch.no_grad():
            expected = smaller(images)
        for indices in np.array_split(np.arange(20), 3):
            found = forward.answer(indices, Counting(images))
            torch.testing.assert_close(found, expected[torch.from_numpy(indices)], rtol=0, atol=1e-6)
            assert cache.bytes <= budget
            assert cache.bytes == sum(kept.bytes for kept in cache._kept.values())
