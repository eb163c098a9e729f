"""What every family keeps to, whatever its architecture."""

import copy

import pytest
import torch
from torch import nn

from primesvt.models import (
    FAMILIES,
    PrimeSVTError,
    Spikformer,
    build,
    channel_groups,
    config_of,
    config_type,
    fingerprint,
)

from ..conftest import enliven, firing_rates, small_config


def images(*leading: int, seed: int = 0) -> torch.Tensor:
    return torch.randn((*leading, 1, 8, 8), generator=torch.Generator().manual_seed(seed))


def test_a_static_image_is_the_sequence_of_its_repetitions(make_model, family: str) -> None:
    model = make_model(family, time_steps=3)
    static = images(5)
    with torch.no_grad():
        logits = model(static)
        assert torch.equal(logits, model(static.unsqueeze(0).repeat(3, 1, 1, 1, 1)))
        assert not torch.equal(logits, model(static.unsqueeze(0).repeat(2, 1, 1, 1, 1)))
    assert logits.shape == (5, 3)


def test_an_event_sequence_brings_its_own_time_steps(make_model, family: str) -> None:
    model = make_model(family, time_steps=2)
    events = images(7, 4)
    with torch.no_grad():
        assert model(events).shape == (4, 3)
        assert not torch.equal(model(events), model(events.flip(0)))


def test_a_model_remembers_nothing(make_model, family: str) -> None:
    model = make_model(family)
    batch = images(4)
    with torch.no_grad():
        first = model(batch)
        model(images(2, seed=1))
        model(images(5, 4, seed=2))
        assert torch.equal(model(batch), first)


def test_images_of_a_batch_do_not_meet(make_model, family: str) -> None:
    model = make_model(family).double()
    batch = images(6).double()
    with torch.no_grad():
        torch.testing.assert_close(model(batch)[2:4], model(batch[2:4]), rtol=0, atol=1e-9)


def test_the_test_models_fire(make_model, family: str) -> None:
    """Neither silent nor saturated, and every image has its own answer: or equal logits would prove nothing."""
    model = make_model(family)
    rates = firing_rates(model, images(16))
    assert min(rates) > 0.05
    assert max(rates) < 0.8
    with torch.no_grad():
        assert len(model(images(16)).unique(dim=0)) >= 12


def test_every_weight_learns(make_model, family: str) -> None:
    model = make_model(family).train()
    model(images(16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    reached = [name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()]
    # The biases before a BatchNorm that normalises them away are the only ones that may be without a gradient.
    assert {name for name, _ in model.named_parameters()} - set(reached) <= {n for n in reached if "conv.bias" in n}


def test_a_copy_is_equal_and_independent(make_model, family: str) -> None:
    model = make_model(family)
    twin = copy.deepcopy(model)
    assert fingerprint(twin) == fingerprint(model)
    assert config_of(twin) == config_of(model)
    next(twin.parameters()).data.zero_()
    assert fingerprint(twin) != fingerprint(model)


def test_the_groups_name_leaf_modules_with_their_width(family: str) -> None:
    config = small_config(family)
    modules = dict(build(config).named_modules())
    names = [group.name for group in config.groups()]
    assert len(set(names)) == len(names) == len(config.widths)
    assert names[-1] == "embedding"
    for group in config.groups():
        for name in group.filters:
            assert modules[name].weight.shape[0] == config.widths[group.name], name
        for name in group.readers:
            assert modules[name].weight.shape[1] == config.widths[group.name], name
        if group.index is not None:
            assert group.index in modules
    produced = [name for group in config.groups() for name in group.filters]
    assert len(set(produced)) == len(produced)
    leaves = {n for n, m in modules.items() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))}
    assert set(produced) == leaves


def test_every_stage_may_pool(family: str) -> None:
    for pooling in ("0000", "1000", "1111"):
        config = small_config(family)
        config = type(config).from_json({**config.to_json(), "pooling": pooling, "image_size": [5, 9]})
        assert enliven(build(config), 0)(torch.randn(2, 1, 5, 9)).shape == (2, 3)


def test_unknown_families_and_foreign_modules_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match=r"Unknown family 'vgg'; known are spike-driven-transformer, spikformer"):
        config_type("vgg")
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        channel_groups(nn.Linear(1, 1))
    assert FAMILIES["spikformer"][1] is Spikformer
