"""The contract of a family, as tests that anybody subclasses with one fixture.

::

    class TestMyFamily(FamilyContract):
        @pytest.fixture
        def config(self) -> ModelConfig:
            return MyConfig.uniform(embed_dim=16, ...)

A family that passes can be pruned, searched, trained, saved, loaded and exported by everything in PrimeSVT. The
configuration should be small (images of about 8x8 pixels, 16 channels), or the tests take long. It is filled with
random weights that make its neurons fire. All equalities are tested in float64: in float32 a potential within
rounding of the threshold may flip a spike, which is no error of anybody's.

Needs pytest and hypothesis: ``pip install 'primesvt[test]'``.
"""

import copy
import dataclasses
import importlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from primesvt.models import (
    CPU,
    EMBEDDING,
    DeviceModel,
    LIFNode,
    ModelConfig,
    PrimeSVTError,
    StreamIndex,
    build,
    channel_groups,
    export_onnx,
    fingerprint,
    forward_of,
    import_state,
    load_model,
    model_bytes,
    parameter_count,
    save_model,
    to_layout,
    unsaid_of,
)

from .criteria import CRITERIA
from .kept import kept_channels
from .masking import masked_logits
from .memory import pruned_bytes
from .plan import PruningPlan
from .pruner import prune
from .surgery import cuts

TOLERANCE = 1e-9
# Of every neuron layer: neither silent nor saturated, or equal logits would prove nothing.
FIRING_RATES = (0.01, 0.99)
# Of the parameters, classifier aside, that some prunable layer shrinks.
PRUNABLE_SHARE = 0.95

# The model comes from a fixture, once per test; several families inherit the same test.
_SETTINGS = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def lively_model(config: ModelConfig, seed: int = 0) -> nn.Module:
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


# As earlier versions call it; calibration images have nothing to do with it.
calibrated = lively_model


def random_images(config: ModelConfig, *leading: int, seed: int = 0) -> torch.Tensor:
    """Images ``[N, C, H, W]``, or event sequences where ``leading`` is ``T, N``, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((*leading, config.in_channels, *config.image_size), generator=generator, dtype=torch.float64)


def _picked(images: torch.Tensor, along: int, indices: np.ndarray) -> torch.Tensor:
    return images.index_select(along, torch.from_numpy(indices))


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest absolute difference."""
    return float((one - other).abs().max())


@st.composite
def plans(draw: st.DrawFn, model: nn.Module) -> PruningPlan:
    """A plan for some layers of a model, at any ratios, by any criterion, for multiples of a few channels."""
    names = [group.name for group in channel_groups(model)]
    layers = draw(st.lists(st.sampled_from(names), unique=True))
    ratios = {layer: draw(st.floats(0, 0.99)) for layer in layers}
    weights_alone = sorted(name for name, criterion in CRITERIA.items() if not criterion.needs_statistics)
    return PruningPlan(ratios, draw(st.sampled_from(weights_alone)), multiple=draw(st.sampled_from([1, 2, 3])))


class FamilyContract:
    """Subclass it, and give the fixture :meth:`config`."""

    @pytest.fixture
    def config(self) -> ModelConfig:
        """A small unpruned configuration of the family."""
        raise NotImplementedError("Give the fixture `config`: a small configuration of your family.")

    @pytest.fixture
    def model(self, config: ModelConfig) -> nn.Module:
        """A model with lively neurons, in float64."""
        return lively_model(config.independent())

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

    def test_numbers_of_its_own_that_make_no_sense_are_refused(self, config: ModelConfig) -> None:
        inherited = {field.name for field in dataclasses.fields(ModelConfig)}
        for field in dataclasses.fields(config):
            if field.name not in inherited and type(getattr(config, field.name)) is int:
                for value in (-1, 10**9):
                    changes: dict[str, Any] = {field.name: value}
                    with pytest.raises(PrimeSVTError):
                        dataclasses.replace(config, **changes)

    def test_its_sizes_make_it_again(self, config: ModelConfig) -> None:
        fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        common = {name: value for name, value in fields.items() if name not in ("widths", *config.derived)}
        again = type(config).uniform(**{**common, **config.sizes()})
        assert again == config, "uniform(), given the fields and sizes(), makes another configuration"

    def test_the_published_sizes_can_be_built(self, config: ModelConfig) -> None:
        for name, sizes in config.published.items():
            with torch.device("meta"):
                assert parameter_count(build(type(config).uniform(**sizes))) > 0, name

    # The groups

    def test_weights_are_where_pruning_can_cut_them(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            modules = dict(build(config).named_modules())
        assert isinstance(modules.get("head"), nn.Linear), "the classifier must be an nn.Linear called 'head'"
        for name, module in modules.items():
            if any(True for _ in module.parameters(recurse=False)):
                known = isinstance(module, (nn.Conv2d, nn.BatchNorm2d)) or name.split(".")[0].startswith("head")
                assert known, f"{name} is a {type(module).__name__}; weights may be in Conv2d, BatchNorm2d and the head"

    def test_the_groups_name_the_channels_of_the_modules(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            modules = dict(build(config).named_modules())
        groups = config.groups()
        assert sorted(group.name for group in groups) == sorted(config.widths)
        for group in groups:
            width = config.widths[group.name]
            for kind, names, dim in (("filter", group.filters, 0), ("reader", group.readers, 1)):
                for name in names:
                    assert name in modules, f"{name}, a {kind} of {group.name}, is no module of the model"
                    shape = tuple(modules[name].weight.shape)
                    assert shape[dim] == width, (
                        f"{name}, a {kind} of {group.name}, has {shape}, expected {width} at {dim}"
                    )
        for kind, named in (
            ("filter", [name for group in groups for name in group.filters]),
            ("reader", [name for group in groups for name in group.readers]),
        ):
            twice = {name for name in named if named.count(name) > 1}
            assert not twice, f"{twice} is a {kind} of two layers"

    def test_streams_and_their_writers_belong_together(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            modules = dict(build(config).named_modules())
        groups = config.groups()
        streams = {group.name for group in groups if group.kind == EMBEDDING}
        assert [group.kind == EMBEDDING for group in groups] == sorted(group.kind == EMBEDDING for group in groups), (
            "the streams must be the last groups"
        )
        indices = [group.index for group in groups if group.stream is not None]
        for group in groups:
            if group.stream is not None:
                assert group.stream in streams, f"{group.name} writes into {group.stream}, which is no stream"
                assert group.index in modules, (
                    f"{group.name} writes into a stream, and has no StreamIndex {group.index}"
                )
            elif not group.filters:
                assert group.kind == EMBEDDING, f"{group.name} has no filters, and is no stream"
        for name, module in modules.items():
            if isinstance(module, StreamIndex):
                assert indices.count(name) == 1, (
                    f"{name} must be the index of one group, it is of {indices.count(name)}"
                )

    def test_the_declared_channels_are_those_that_the_model_has(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            state = build(config).state_dict()
        for group in config.groups():
            narrow = {group.name: group.heads * max(1, config.widths[group.name] // group.heads // 2)}
            if group.kind == EMBEDDING:
                writers = [each.name for each in config.groups() if each.stream == group.name]
                narrow |= dict.fromkeys(writers, narrow[group.name])
            expected = {name: list(tensor.shape) for name, tensor in state.items()}
            for name, dim, layer in cuts(config, state):
                expected[name][dim] = narrow.get(layer, expected[name][dim])
            with torch.device("meta"):
                smaller = build(config.with_widths(narrow)).state_dict()
            for name, shape in expected.items():
                if name in smaller and not name.endswith(".channels"):
                    assert list(smaller[name].shape) == shape, (
                        f"with half the channels of {group.name}, {name} is {list(smaller[name].shape)} in the model, "
                        f"and {shape} by the groups: at the first difference it has the channels (0) and is no filter "
                        "of it, or reads them (1) and is no reader; or the model does not take this width from config"
                    )

    def test_nearly_all_parameters_shrink_with_some_layer(self, config: ModelConfig) -> None:
        with torch.device("meta"):
            parameters = dict(build(config).named_parameters())
        heads = {name for name in parameters if name.split(".")[0].startswith("head")}
        groups = [group for group in config.groups() if group.kind != EMBEDDING]
        shrinking = {name for group in groups for name in (*group.filters, *group.readers)}
        body = {name: p.numel() for name, p in parameters.items() if name not in heads}
        missing = {name: size for name, size in body.items() if name.rpartition(".")[0] not in shrinking}
        assert sum(missing.values()) <= (1 - PRUNABLE_SHARE) * sum(body.values()), f"in no group: {sorted(missing)}"

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
        for call, rate in enumerate(rates):
            place = f"call {call} of {len(rates)} of a neuron fires at a rate of {rate:.4f}"
            assert rate > low, f"{place}: lower the thresholds of the configuration, or take larger images"
            assert rate < high, f"{place}: raise the thresholds of the configuration"
        assert len(logits.unique(dim=0)) > 16, "most images get the same answer"

    def test_a_static_image_is_the_sequence_of_its_repetitions(self, config: ModelConfig) -> None:
        for steps in (1, 3):
            model = lively_model(dataclasses.replace(config.independent(), time_steps=steps))
            static = random_images(config, 4)
            with torch.no_grad():
                logits = model(static)
                assert logits.shape == (4, len(config.classes))
                repeated = model(static.unsqueeze(0).repeat(steps, 1, 1, 1, 1))
            assert difference(logits, repeated) <= TOLERANCE, "an image is not what its T repetitions are"

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
            assert torch.equal(model(batch), first), "the second call gives another answer: something is remembered"

    def test_images_of_a_batch_do_not_meet(self, model: nn.Module, config: ModelConfig) -> None:
        batch = random_images(config, 6)
        with torch.no_grad():
            apart = difference(model(batch)[2:4], model(batch[2:4]))
        assert apart <= TOLERANCE, "the answer to an image depends on the other images of the batch"

    def test_prepared_for_a_device_it_answers_the_same(self, model: nn.Module, config: ModelConfig) -> None:
        images, events = random_images(config, 4), random_images(config, 3, 4)
        half = prune(model, PruningPlan({group.name: 0.5 for group in config.groups()}))
        for each in (model, half):
            before, prepared = fingerprint(each), DeviceModel(each, CPU)
            with torch.no_grad():
                apart = max(difference(prepared(batch), each(batch)) for batch in (images, events))
            assert apart <= TOLERANCE, "folding BatchNorm into the convolutions changes the answers"
            assert fingerprint(each) == before, "preparing the model changes it"

    def test_a_copy_is_equal_and_independent(self, model: nn.Module) -> None:
        twin = copy.deepcopy(model)
        assert fingerprint(twin) == fingerprint(model)
        next(twin.parameters()).data.add_(1)
        assert fingerprint(twin) != fingerprint(model)

    # Training

    def test_every_weight_learns(self, model: nn.Module, config: ModelConfig) -> None:
        model.train()(random_images(config, 16)).square().sum().backward()
        parameters = dict(model.named_parameters())
        assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
        # BatchNorm normalises the bias before it away: no other parameter may be without a gradient.
        unreached = {name for name, p in parameters.items() if p.grad is not None and not p.grad.any()}
        odd = sorted(name for name in unreached if not name.endswith("conv.bias"))
        assert not odd, f"without a gradient, so not used, or behind silent neurons: {odd}"

    # Surgery

    def test_every_layer_alone_pruned_equals_masked(self, model: nn.Module, config: ModelConfig) -> None:
        images = random_images(config, 4)
        for group in channel_groups(model):
            # At random there are other channels in every head: only so is seen whether heads are declared.
            plan = PruningPlan({group.name: 0.4}, "random")
            kept = kept_channels(model, plan)
            with torch.no_grad():
                logits = prune(model, plan)(images)
            assert difference(logits, masked_logits(model, kept, images)) <= TOLERANCE, (
                f"{group.name}: the shapes fit, the answers differ; are heads declared, does a number depend on "
                "a width (an attention scale, a mean), is a BatchNorm missing after a filter?"
            )

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
        problems, images = [], random_images(config, 3)
        for layout in config.layouts:
            try:
                state = to_layout(model, layout)
            except PrimeSVTError as error:
                problems.append(str(error))  # A layout of another variant of the family, or a wrong one.
                continue
            again = import_state(state, unsaid_of(config.independent()), kinds=[type(config)]).model
            with torch.no_grad():
                assert difference(again(images), model(images)) <= TOLERANCE, layout.source
        if len(problems) == len(config.layouts):
            pytest.skip(f"no layout fits this configuration: {problems}")

    def test_the_engine_answers_as_the_forward_pass_does(self, model: nn.Module, config: ModelConfig) -> None:
        plan = PruningPlan({group.name: 0.3 for group in channel_groups(model)})
        for version in (model.float(), prune(model, plan).float()):
            for images in (random_images(config, 12).float(), random_images(config, 3, 8).float()):
                along = 0 if images.ndim == 4 else 1
                read = partial(_picked, images, along)
                found = forward_of(version, images.shape).answer(np.arange(images.shape[along]), read)
                with torch.no_grad():
                    assert difference(found, version(images)) <= 1e-6

    def test_a_pruned_model_is_exported(self, model: nn.Module, config: ModelConfig, tmp_path: Path) -> None:
        plan = PruningPlan({group.name: 0.4 for group in channel_groups(model)})
        pruned, file = prune(model, plan).float(), tmp_path / "model.onnx"
        images = random_images(config, 24).float()
        # A batch of any size takes three times as long to write.
        export_onnx(pruned, file, batch=12)
        session = importlib.import_module("onnxruntime").InferenceSession(str(file))
        answers = [torch.from_numpy(session.run(None, {"images": part.numpy()})[0]) for part in images.split(12)]
        with torch.no_grad():
            error = (torch.cat(answers) - pruned(images)).abs().amax(1)
        # In float32 a potential within rounding of its threshold may flip a spike, which moves one image's logits.
        assert int((error > 1e-4).sum()) <= 1
