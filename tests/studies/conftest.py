"""A small trained model and its data on disk."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from primesvt.models import Work, plugins
from primesvt.pruning import Measure, Units
from primesvt.studies.cli import main

from ..conftest import noisy_data


@pytest.fixture
def add_measure(monkeypatch: pytest.MonkeyPatch) -> Callable[[Measure], None]:
    """Adds a measure as another package does."""

    def add(measure: Measure) -> None:
        point = SimpleNamespace(name=measure.name, value=f"somewhere:{measure.name.upper()}", load=lambda: measure)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == "primesvt.measures" else [])

    return add


@pytest.fixture
def another_measure(add_measure: Callable[[Measure], None]) -> Measure:
    """A measure that another package adds."""
    units = Units({"bursts": 100, "spikes": 1}, "90 or 2bursts")
    measure = Measure(
        name="busiest", label="busiest layer", unit="spikes", of_work=_busiest, digits=1, units=units, note=_which
    )
    add_measure(measure)
    return measure


def _busiest(work: Work) -> float:
    return max(layer.spikes for layer in work.layers)


def _which(_model: nn.Module, work: Work) -> str:
    return f"of {len(work.layers)} layers"


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of noisy images as an ``.npz`` file."""
    data = noisy_data(360)
    file = tmp_path_factory.mktemp("data") / "noisy.npz"
    np.savez(
        file,
        train_images=data.fit.source.array,
        train_labels=data.fit.labels,
        test_images=data.test.source.array,
        test_labels=data.test.labels,
    )
    return file


@pytest.fixture(scope="session")
def model_dir(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on them by the command line."""
    directory = tmp_path_factory.mktemp("models") / "trained"
    options = "--family spike-driven-transformer --embed-dim 16 --depth 1 --heads 2 --time-steps 2 --epochs 6 --shift 0"
    code = main(
        ["train", "-o", str(directory), "--data", str(data_file), "--no-flip", "--batch-size", "16", *options.split()]
    )
    assert code == 0
    return directory
