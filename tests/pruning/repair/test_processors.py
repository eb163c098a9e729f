"""A repaired model is the same on every processor, though libraries add up in other orders there."""

from pathlib import Path

import torch

from primesvt.models import load_model, open_data, predict
from primesvt.pruning import Calibration, Pruner, PruningPlan, prunable_layers

from ...processors import said_on_an_old_processor


def repaired(path: Path) -> None:
    """Write the weights of the demo model, pruned and repaired, and the classes that it tells."""
    model, data = load_model("demo"), open_data(None)
    plan = PruningPlan({layer.name: 0.7 for layer in prunable_layers(model)}, repair=("least-squares",))
    pruned = Pruner(model, Calibration(data.calibration, 48)).version(plan).model
    torch.save((pruned.state_dict(), torch.from_numpy(predict(pruned, data.selection.first(192)).classes)), path)


def test_on_an_old_processor(tmp_path: Path) -> None:
    code = f"from tests.pruning.repair.test_processors import repaired; repaired({str(tmp_path / 'old.pt')!r})"
    assert said_on_an_old_processor(code) == []
    repaired(tmp_path / "own.pt")
    (old, told), (own, classes) = (torch.load(tmp_path / f"{name}.pt") for name in ("old", "own"))
    assert torch.equal(told, classes)
    # A number may lie so near to the middle between two that it is rounded to either.
    others = sum(int((old[name] != tensor).sum()) for name, tensor in own.items())
    assert others <= sum(tensor.numel() for tensor in own.values()) / 1000
