"""What the tests share: small models with lively neurons, data sets of a few noisy images, the command line."""

import gc
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import nn

from primesvt.models import (
    ArrayImages,
    DataSet,
    LIFNode,
    ModelConfig,
    SpikeDrivenTransformerConfig,
    SpikformerConfig,
)
from primesvt.models.data.data_set import split
from primesvt.pruning.family_contract import lively_model
from primesvt.studies.cli import main

from .postgresql import PostgreSQL, missing

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci")

FAMILIES = ("spike-driven-transformer", "spikformer")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A test that draws weights or images without a seed draws the same in every run, and so passes or fails always."""
    torch.manual_seed(0)


def pytest_collection_finish() -> None:
    """What is imported stays: there is no garbage in it to look for again and again."""
    gc.freeze()


def firing_rates(model: nn.Module, images: torch.Tensor) -> list[float]:
    """Mean spike rate of every call of a neuron."""
    rates: list[float] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, out: rates.append(float(out.mean())))
        for module in model.modules()
        if isinstance(module, LIFNode)
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return rates


def small_config(
    family: str, *, embed_dim: int = 16, depth: int = 2, heads: int = 4, time_steps: int = 2
) -> ModelConfig:
    """A model small enough for hundreds of evaluations."""
    kinds = {"spike-driven-transformer": SpikeDrivenTransformerConfig, "spikformer": SpikformerConfig}
    return kinds[family].uniform(
        embed_dim=embed_dim,
        depth=depth,
        heads=heads,
        mlp_ratio=2.0,
        time_steps=time_steps,
        in_channels=1,
        image_size=(8, 8),
        classes=("a", "b", "c"),
        mean=(0.5,),
        std=(0.5,),
        pooling="0011",
        # Four tokens and four channels per head add up to little: the published threshold would silence attention.
        attention_threshold=0.05 if family == "spikformer" else 0.5,
    )


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    """Every family in turn."""
    return str(request.param)


@pytest.fixture
def make_model() -> Callable[..., nn.Module]:
    """Builds a small model with lively neurons."""

    def make(family: str = "spike-driven-transformer", *, seed: int = 0, **sizes: int) -> nn.Module:
        model = lively_model(small_config(family, **sizes), seed).float()
        # Random weights tend to give every image the same class; around their mean the logits tell images apart.
        images = noisy_data().fit
        with torch.no_grad():
            model.head.bias -= model(images.read(model.config, images.indices)[0]).mean(0)
        return model

    return make


def noisy_data(count: int = 120, size: int = 8, seed: int = 0) -> DataSet:
    """Three classes of images, bright in different rows."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 120, (count, size, size), dtype=np.uint8)
    for i, label in enumerate(labels):
        images[i, label * 2 : label * 2 + 2] += 120
    train = (ArrayImages(images[: count * 2 // 3]), labels[: count * 2 // 3].astype(np.int64))
    test = (ArrayImages(images[count * 2 // 3 :]), labels[count * 2 // 3 :].astype(np.int64))
    return split("noisy", ("a", "b", "c"), train, test)


@pytest.fixture
def data() -> DataSet:
    """A small data set that fits the small models."""
    return noisy_data()


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, output, error output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result."""
        return json.loads(self.out)


@pytest.fixture
def primesvt(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line in this process."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


__all__ = ["FAMILIES", "Ran", "firing_rates", "noisy_data", "replace", "small_config"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server of databases, started once."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = PostgreSQL.made()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def database(postgresql: PostgreSQL) -> str:
    """URL of a database of PostgreSQL that is empty."""
    return postgresql.new_database()
