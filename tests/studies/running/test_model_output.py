"""A model directory that a command leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from primesvt.models import PrimeSVTError, fingerprint, load_model
from primesvt.pruning import PruningPlan
from primesvt.studies.running.model_output import OPTIONS_FILE, plan_beside, write_model


def test_what_is_known_lies_beside_the_model(make_model: Callable[..., nn.Module], tmp_path: Path) -> None:
    model, place, plan = make_model(), tmp_path / "model", PruningPlan({"position": 0.5})
    write_model(model, place, plan=plan, training={"epochs": 3}, options="[prune]\n")
    assert fingerprint(load_model(place)) == fingerprint(model)
    assert plan_beside(place) == plan
    assert json.loads((place / "training.json").read_text()) == {"epochs": 3}
    assert (place / OPTIONS_FILE).read_text() == "[prune]\n"


def test_what_is_not_known_does_not(make_model: Callable[..., nn.Module], tmp_path: Path) -> None:
    place = tmp_path / "model"
    write_model(make_model(), place)
    assert sorted(file.name for file in place.iterdir()) == ["config.json", "model.safetensors"]
    assert plan_beside(place) is plan_beside(None) is None
    with pytest.raises(PrimeSVTError, match="not empty"):
        write_model(make_model(), place)
    write_model(make_model(), place, overwrite=True, options="[prune]\n")
    assert (place / OPTIONS_FILE).exists()
