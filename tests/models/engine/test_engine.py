"""The engine answers as the plain forward pass does, whatever the model, and shares what versions of it have in common.

That every family in every variant is answered alike, pruned or not, is in the contract of a family.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from primesvt.models import DataSet, LIFNode, config_of, forward_of, predict
from primesvt.models.engine import Engine, Program, SharedForward
from primesvt.models.engine.activation_cache import ActivationCache, ResumingEngine, keys_of
from primesvt.models.engine.activations import Frames, Plain, Spikes
from primesvt.models.engine.forward import DirectForward
from primesvt.pruning import PruningPlan, kept_channels, prunable_layers, remove, version_of

MakeModel = Callable[..., nn.Module]


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(3))


def version(model: nn.Module, ratios: dict[str, float]) -> tuple[nn.Module, Callable[[str], bytes]]:
    kept = kept_channels(model, PruningPlan(ratios))
    return remove(model, kept), version_of(config_of(model), kept)


def layers_of(model: nn.Module) -> list[str]:
    """In the order of the forward pass."""
    return [group.name for group in config_of(model).groups() if group.kind != "embedding"]


def test_most_of_a_model_runs_on_our_kernels(make_model: MakeModel, family: str, images: torch.Tensor) -> None:
    model = make_model(family)
    program = Program(model, images.shape)
    engine = Engine(program, model)
    assert torch.equal(engine(images), model(images))
    prepared = [conv for conv in engine._prepared.values() if conv is not None]
    convolutions = sum(name.endswith(".conv") for name, _ in model.named_modules())
    # But for the first, which reads the image, and those where nearly everything fires.
    assert sum(len(conv.widths) for conv in prepared) >= convolutions // 3


def test_what_is_not_needed_is_forgotten(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    program = Program(model, images.shape)
    engine, values = Engine(program, model), {}
    values[program.images] = Plain(images)
    for number in range(len(program.steps)):
        engine.step(values, number)
        assert set(values) == set(program.live[number + 1])
    assert len(values) == 1


def test_the_answer_to_an_image_does_not_depend_on_the_others(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    engine = Engine(Program(model, images.shape), model)
    alone = torch.cat([engine(image[None]) for image in images])
    torch.testing.assert_close(alone, engine(images), rtol=0, atol=1e-6)


def test_a_model_in_float64_is_asked_by_pytorch(make_model: MakeModel, data: DataSet) -> None:
    model = make_model()
    assert predict(model, data.test).reason is None
    reason = predict(model.double(), data.test).reason
    assert reason is not None
    assert "torch.float64" in reason


def test_a_forward_pass_that_cannot_be_traced_is_asked_by_pytorch(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    plain = model(images)
    original = type(model).forward

    class Odd(type(model)):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if float(x.sum()) > 1e9:
                return x
            return original(self, x)

    model.__class__ = Odd
    forward = forward_of(model, images.shape)
    assert forward.reason is not None
    assert "cannot be traced" in forward.reason
    assert torch.equal(forward.answer(np.arange(20), lambda i: images[i]), plain)


def test_a_neuron_of_another_kind_is_left_to_pytorch(make_model: MakeModel, images: torch.Tensor) -> None:
    class Louder(LIFNode):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(2 * x)

    model = make_model()
    before = model(images)
    model.lif.__class__ = Louder
    assert not torch.equal(model(images), before)
    assert torch.equal(Engine(Program(model, images.shape), model)(images), model(images))


class Counting:
    """Reads images, and counts them."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images, self.read = images, 0

    def __call__(self, indices: np.ndarray) -> torch.Tensor:
        self.read += len(indices)
        return self.images[torch.from_numpy(indices)]


def test_versions_share_what_they_have_in_common(make_model: MakeModel, family: str, images: torch.Tensor) -> None:
    model = make_model(family)
    shared = SharedForward(model, images.shape, np.arange(20), 10**9)
    everything = np.arange(20)
    for layer in [None, *reversed(layers_of(model)), *layers_of(model)]:
        smaller, versions = version(model, {} if layer is None else {layer: 0.5})
        read = Counting(images)
        forward = shared.of(smaller, versions)
        for indices in (everything[:7], everything[5:], everything[::-1].copy()):
            expected = smaller(images)[torch.from_numpy(indices)]
            torch.testing.assert_close(forward.answer(indices, read), expected, rtol=0, atol=1e-6)
        # Only what differs in the first layer reads the images, and each of them not even once when seen before.
        assert read.read == 0 or layer in (None, layers_of(model)[0]), layer


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
        for indices in np.array_split(np.arange(20), 3):
            found = forward.answer(indices, Counting(images))
            torch.testing.assert_close(found, smaller(images)[torch.from_numpy(indices)], rtol=0, atol=1e-6)
            assert cache.bytes <= budget
            assert cache.bytes == sum(kept.bytes for kept in cache._kept.values())


def test_what_pytorch_computed_for_some_images_only_is_not_mixed_with_ours() -> None:
    cache = ActivationCache(10**6, np.arange(4))
    tensor = torch.rand(2, 2, 3, 5, 5)
    cache.keep(b"key", np.array([0, 1]), Plain(tensor).frames())
    cache.keep(b"key", np.array([2, 3]), Plain(tensor))
    (kept,) = cache._kept.values()
    assert kept.known.tolist() == [True, True, False, False]


def test_images_that_are_known_in_part(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    shared = SharedForward(model, images.shape, np.arange(20), 10**9)
    first, versions = version(model, {})
    shared.of(first, versions).answer(np.array([3, 1, 17]), Counting(images))
    smaller, versions = version(model, {layers_of(model)[-1]: 0.5})
    read = Counting(images)
    found = shared.of(smaller, versions).answer(np.array([0, 1, 2, 3, 17, 19]), read)
    assert read.read == 3
    torch.testing.assert_close(found, smaller(images)[[0, 1, 2, 3, 17, 19]], rtol=0, atol=1e-6)


def test_without_a_budget_nothing_is_kept(make_model: MakeModel, images: torch.Tensor) -> None:
    model = make_model()
    forward = SharedForward(model, images.shape, np.arange(20), 0).of(model, lambda _: b"")
    assert isinstance(forward, DirectForward)
    assert forward.reason is None
    assert len(prunable_layers(model)) > 3
