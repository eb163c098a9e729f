"""What the registry of families knows; what every family keeps to is in tests/pruning/test_family_contract.py."""

import pytest
import torch
from torch import nn

from primesvt.models import (
    FAMILIES,
    ModelConfig,
    PrimeSVTError,
    SpikformerConfig,
    build,
    channel_groups,
    config_type,
    families,
    plugins,
)

from ...conftest import small_config


def test_every_stage_may_pool(family: str) -> None:
    for pooling in ("0000", "1000", "1111"):
        config = small_config(family)
        config = type(config).from_json({**config.to_json(), "pooling": pooling, "image_size": [5, 9]})
        assert build(config)(torch.randn(2, 1, 5, 9)).shape == (2, 3)


def test_unknown_families_and_foreign_modules_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match=r"Unknown family 'vgg'; known are spike-driven-transformer, spikformer"):
        config_type("vgg")
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        channel_groups(nn.Linear(1, 1))
    assert FAMILIES["spikformer"] is SpikformerConfig


class FakePoint:
    """An entry point of another package."""

    name, value = "mine", "mine:MyConfig"

    def __init__(self, loaded: object) -> None:
        self.loaded = loaded

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


class MyConfig(SpikformerConfig):
    """A family of another package."""

    family = "my-family"


class Usurper(SpikformerConfig):
    """A family of another package with a name that is taken."""

    family = "qkformer"


def test_families_of_other_packages_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda group: [FakePoint(MyConfig), FakePoint(Usurper)])
    assert config_type("my-family") is MyConfig
    assert families()["qkformer"] is FAMILIES["qkformer"]


@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (ImportError("no module named torch2"), r"The family mine \(mine:MyConfig\) cannot be imported: no module"),
        (nn.Linear, r"The family mine \(mine:MyConfig\) is no subclass of ModelConfig"),
        (ModelConfig, r"The family mine \(mine:MyConfig\) has no name: its class attribute 'family'"),
    ],
)
def test_a_broken_family_of_another_package_is_named(monkeypatch: pytest.MonkeyPatch, loaded, message) -> None:
    monkeypatch.setattr(plugins, "entry_points", lambda group: [FakePoint(loaded)])
    with pytest.raises(PrimeSVTError, match=message):
        families()
    # What is not asked for does no harm.
    assert config_type("spikformer") is SpikformerConfig
