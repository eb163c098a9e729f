"""What a family must declare: a configuration that is data, and the channels that go together."""

import dataclasses
import json
from typing import Any

import pytest
import torch
from torch import nn

from primesvt.models import (
    EMBEDDING,
    ModelConfig,
    PrimeSVTError,
    StreamIndex,
    build,
    parameter_count,
)

from ..surgery import cuts

# Of the parameters, classifier aside, that some prunable layer shrinks.
PRUNABLE_SHARE = 0.95


class DeclaredContract:
    """The configuration, and its groups of channels."""

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
