"""The contract of a family, as tests that anybody subclasses with one fixture.

::

    class TestMyFamily(FamilyContract):
        @pytest.fixture
        def config(self) -> ModelConfig:
            return MyConfig.uniform(embed_dim=16, ...)

A family that passes can be pruned, searched, trained, saved, loaded and exported by everything in PrimeSVT. The
configuration should be small (images of about 8x8 pixels, 16 channels), or the tests take long. It is filled with
random weights, calibrated so that its neurons fire. All equalities are tested in float64: in float32 a potential within
rounding of the threshold may flip a spike, which is no error of anybody's.

Needs pytest and hypothesis: ``pip install 'primesvt[test]'``.
"""

import copy
import dataclasses
import importlib
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from primesvt.models import (
    EMBEDDING,
    LIFNode,
    ModelConfig,
    PrimeSVTError,
    build,
    channel_groups,
    export_onnx,
    export_pt2,
    fingerprint,
    import_state,
    load_model,
    model_bytes,
    parameter_count,
    save_model,
    to_layout,
    unsaid_of,
)

from .importance import CRITERIA
from .kept import kept_channels
from .masking import masked_logits
from .memory import pruned_bytes
from .plan import PruningPlan
from .surgery import prune

TOLERANCE = 1e-9
# Of every neuron layer: neither silent nor saturated, or equal logits would prove nothing.
FIRING_RATES = (0.01, 0.99)
# Of the parameters, classifier aside, that some prunable layer shrinks.
PRUNABLE_SHARE = 0.95

# The model comes from a fixture, once per test; several families inherit the same test.
_SETTINGS = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def calibrated(config: ModelConfig, seed: int = 0) -> nn.Module:
    """A model in float64 and evaluation mode, whose random weights make its neurons fire.

    BatchNorm gets random scales and shifts, and the statistics of random images, layer by layer.

    Args:
        config: Any configuration.
        seed: Of weights and images.
    """
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


def random_images(config: ModelConfig, *leading: int, seed: int = 0) -> torch.Tensor:
    """Images ``[N, C, H, W]``, or event sequences where ``leading`` is ``T, N``, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((*leading, config.in_channels, *config.image_size), generator=generator, dtype=torch.float64)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


@st.composite
def plans(draw: st.DrawFn, model: nn.Module) -> PruningPlan:
    """A plan for some layers of a model, at any ratios, by any criterion."""
    names = [group.name for group in channel_groups(model)]
    layers = draw(st.lists(st.sampled_from(names), unique=True))
    ratios = {layer: draw(st.floats(0, 0.99)) for layer in layers}
    return PruningPlan(ratios, draw(st.sampled_from(sorted(CRITERIA))))


class FamilyContract:
    """Subclass it, and give the fixture :meth:`config`."""

    @pytest.fixture
    def config(self) -> ModelConfig:
        """A small unpruned configuration of the family."""
        raise NotImplementedError("Give the fixture `config`: a small configuration of your family.")

    @pytest.fixture
    def model(self, config: ModelConfig) -> nn.Module:
        """A model with lively neurons, in float64."""
        return calibrated(config.independent())

    # The configuration

    def test_the_configuration_round_trips_through_json(self, config: ModelConfig) -> None:
        again = type(config).from_json(json.loads(json.dumps(config.to_json())))
        assert again == config
        assert again.groups() == config.groups()

    def test_a_configuration_that_makes_no_sense_is_refused(self, config: ModelConfig) -> None:
        data = json.loads(json.dumps(config.to_json()))
        layer = config.groups()[0].name
        for broken in (
            {**data, "unknown": 1},
            {**data, "time_steps": 0},
            {**data, "widths": {}},
            {**data, "widths": {**data["widths"], layer: 0}},
            {**data, "widths": {**data["widths"], layer: 10**9}},
            {key: value for key, value in data.items() if key != "classes"},
        ):
            with pytest.raises(PrimeSVTError):
                type(config).from_json(broken)

    def test_the_published_sizes_can_be_built(self, config: ModelConfig) -> None:
        for name, sizes in config.published.items():
            with torch.device("meta"):
                assert parameter_count(build(type(config).uniform(**sizes))) > 0, name

    # The groups

    def test_the_groups_name_the_channels_of_the_modules(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            modules = dict(build(config).named_modules())
        names = [group.name for group in config.groups()]
        assert sorted(names) == sorted(config.widths)
        for group in config.groups():
            width = config.widths[group.name]
            for name in group.filters:
                assert modules[name].weight.shape[0] == width, name
            for name in group.readers:
                assert modules[name].weight.shape[1] == width, name
            if group.stream is not None:
                assert group.index in modules, f"{group.name} writes into a stream, and has no index"
            elif not group.filters:
                assert group.kind == EMBEDDING, f"{group.name} has no filters, and is no stream"
        produced = [name for group in config.groups() for name in group.filters]
        assert len(set(produced)) == len(produced), "a module is the filter of two layers"

    def test_nearly_all_parameters_shrink_with_some_layer(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            parameters = dict(build(config).named_parameters())
        heads = {name for name in parameters if name.split(".")[0].startswith("head")}
        groups = [group for group in config.groups() if group.kind != EMBEDDING]
        shrinking = {name for group in groups for name in (*group.filters, *group.readers)}
        body = {name: p.numel() for name, p in parameters.items() if name not in heads}
        covered = sum(size for name, size in body.items() if name.rpartition(".")[0] in shrinking)
        assert covered >= PRUNABLE_SHARE * sum(body.values())

    # The forward pass

    def test_the_neurons_fire(self, model: nn.Module, config: ModelConfig) -> None:
        rates: list[float] = []
        for module in model.modules():
            if isinstance(module, LIFNode):
                module.register_forward_hook(lambda _m, _i, spikes: rates.append(float(spikes.mean())))
        with torch.no_grad():
            logits = model(random_images(config, 32))
        low, high = FIRING_RATES
        assert rates, "the model has no LIFNode of PrimeSVT"
        assert min(rates) > low, f"a neuron layer is silent: {rates}; lower the thresholds of the configuration"
        assert max(rates) < high, f"a neuron layer is saturated: {rates}; raise the thresholds of the configuration"
        assert len(logits.unique(dim=0)) > 16, "most images get the same answer"

    def test_a_static_image_is_the_sequence_of_its_repetitions(self, config: ModelConfig) -> None:
        for steps in (1, 3):
            model = calibrated(dataclasses.replace(config.independent(), time_steps=steps))
            static = random_images(config, 4)
            with torch.no_grad():
                logits = model(static)
                assert logits.shape == (4, len(config.classes))
                repeated = model(static.unsqueeze(0).repeat(steps, 1, 1, 1, 1))
            assert difference(logits, repeated) <= TOLERANCE

    def test_an_event_sequence_brings_its_own_time_steps(self, model: nn.Module, config: ModelConfig) -> None:
        events = random_images(config, config.time_steps + 2, 8)
        with torch.no_grad():
            logits = model(events)
            assert logits.shape == (8, len(config.classes))
            assert difference(logits, model(events.flip(0))) > TOLERANCE, "the order of the time steps does not matter"

    def test_a_model_remembers_nothing(self, model: nn.Module, config: ModelConfig) -> None:
        batch = random_images(config, 4)
        with torch.no_grad():
            first = model(batch)
            model(random_images(config, 2, seed=1))
            model(random_images(config, 5, 4, seed=2))
            assert torch.equal(model(batch), first)

    def test_images_of_a_batch_do_not_meet(self, model: nn.Module, config: ModelConfig) -> None:
        batch = random_images(config, 6)
        with torch.no_grad():
            assert difference(model(batch)[2:4], model(batch[2:4])) <= TOLERANCE

    def test_a_copy_is_equal_and_independent(self, model: nn.Module) -> None:
        twin = copy.deepcopy(model)
        assert fingerprint(twin) == fingerprint(model)
        next(twin.parameters()).data.zero_()
        assert fingerprint(twin) != fingerprint(model)

    # Training

    def test_every_weight_learns(self, model: nn.Module, config: ModelConfig) -> None:
        model.train()(random_images(config, 16)).square().sum().backward()
        parameters = dict(model.named_parameters())
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
        # BatchNorm normalises the bias before it away: no other parameter may be without a gradient.
        unreached = {name for name, p in parameters.items() if p.grad is not None and not p.grad.any()}
        assert not {name for name in unreached if not name.endswith("conv.bias")}

    # Surgery

    def test_every_layer_alone_pruned_equals_masked(self, model: nn.Module, config: ModelConfig) -> None:
        images = random_images(config, 4)
        for group in channel_groups(model):
            plan = PruningPlan({group.name: 0.5})
            kept = kept_channels(model, plan)
            with torch.no_grad():
                logits = prune(model, plan)(images)
            assert difference(logits, masked_logits(model, kept, images)) <= TOLERANCE, group.name

    @given(data=st.data())
    @_SETTINGS
    def test_pruned_equals_masked(self, model: nn.Module, config: ModelConfig, data: st.DataObject) -> None:
        plan = data.draw(plans(model))
        images = random_images(
            config, *([3, 2] if data.draw(st.booleans()) else [2]), seed=data.draw(st.integers(0, 9))
        )
        with torch.no_grad():
            logits = prune(model, plan)(images)
        assert difference(logits, masked_logits(model, kept_channels(model, plan), images)) <= TOLERANCE

    @given(data=st.data())
    @_SETTINGS
    def test_a_pruned_model_can_be_pruned(self, model: nn.Module, config: ModelConfig, data: st.DataObject) -> None:
        once = prune(model, data.draw(plans(model)))
        plan, images = data.draw(plans(once)), random_images(config, 2)
        twice = prune(once, plan)
        with torch.no_grad():
            logits = twice(images)
        assert difference(logits, masked_logits(once, kept_channels(once, plan), images)) <= TOLERANCE
        assert pruned_bytes(once, plan) == model_bytes(twice)

    @given(data=st.data())
    @_SETTINGS
    def test_planned_bytes_and_widths(self, model: nn.Module, config: ModelConfig, data: st.DataObject) -> None:
        plan = data.draw(plans(model))
        kept = kept_channels(model, plan)
        assert pruned_bytes(model, plan) == model_bytes(prune(model, plan))
        for group in channel_groups(model):
            channels, per_head = kept[group.name], config.widths[group.name] // group.heads
            assert len(channels) >= group.heads
            assert (channels.diff() > 0).all()
            assert len(set(torch.bincount(channels // per_head, minlength=group.heads).tolist())) == 1

    def test_the_empty_plan_changes_nothing(self, model: nn.Module) -> None:
        pruned = prune(model, PruningPlan({}))
        assert fingerprint(pruned) == fingerprint(model)
        for tensor in pruned.state_dict().values():
            tensor.zero_()
        assert fingerprint(model) != fingerprint(pruned), "the pruned model shares memory with the original"

    def test_a_pruned_model_trains(self, model: nn.Module, config: ModelConfig) -> None:
        pruned = prune(model, PruningPlan({group.name: 0.4 for group in channel_groups(model)})).train()
        pruned(random_images(config, 8)).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in pruned.parameters())

    # Storage and export

    def test_a_pruned_model_is_saved_and_loaded(self, model: nn.Module, config: ModelConfig, tmp_path: Path) -> None:
        plan = PruningPlan({group.name: 0.3 for group in channel_groups(model)})
        pruned = prune(model, plan)
        save_model(pruned, tmp_path / "model")
        loaded = load_model(tmp_path / "model", families=[type(config)])
        assert fingerprint(loaded) == fingerprint(pruned)
        images = random_images(config, 3)
        with torch.no_grad():
            assert torch.equal(loaded(images), pruned(images))
        with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
            tensors = [file.get_tensor(key) for key in file.keys()]  # noqa: SIM118 - it is no mapping
        assert sum(tensor.numel() * tensor.element_size() for tensor in tensors) == pruned_bytes(model, plan)

    def test_the_layouts_of_other_code_round_trip(self, model: nn.Module, config: ModelConfig) -> None:
        for layout in config.layouts:
            try:
                state = to_layout(model, layout)
            except PrimeSVTError:
                continue  # A layout of another variant of the family.
            again = import_state(state, unsaid_of(config.independent()), kinds=[type(config)]).model
            images = random_images(config, 3)
            with torch.no_grad():
                assert difference(again(images), model(images)) <= TOLERANCE, layout.source

    @pytest.mark.parametrize("to", ["onnx", "pt2"])
    def test_a_pruned_model_is_exported(self, model: nn.Module, config: ModelConfig, to: str, tmp_path: Path) -> None:
        plan = PruningPlan({group.name: 0.4 for group in channel_groups(model)})
        pruned, file = prune(model, plan).float(), tmp_path / f"model.{to}"
        images = random_images(config, 24).float()
        if to == "onnx":
            export_onnx(pruned, file)
            session = importlib.import_module("onnxruntime").InferenceSession(str(file))
            answers = [torch.from_numpy(session.run(None, {"images": part.numpy()})[0]) for part in images.split(12)]
        else:
            export_pt2(pruned, file)
            answers = [torch.export.load(str(file)).module()(part) for part in images.split(12)]
        with torch.no_grad():
            error = (torch.cat(answers) - pruned(images)).abs().amax(1)
        # In float32 a potential within rounding of its threshold may flip a spike, which moves one image's logits.
        assert int((error > 1e-4).sum()) <= 1
