"""The best epoch is kept, also over an interruption; and a training that only harms changes nothing."""

from pathlib import Path

import pytest
import torch
from torch import nn

from primesvt.studies.running.best_epoch import BestEpoch


class Weights(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))

    def become(self, value: float) -> "Weights":
        with torch.no_grad():
            self.value.fill_(value)
        return self


def after(accuracies: list[float], file: Path, *, interrupted_at: tuple[int, ...] = ()) -> tuple[float, int]:
    """The weights, which are the number of the epoch, after epochs of these accuracies; the start has 0.5."""
    model = Weights(0.0)
    best = BestEpoch(file, 0.5, Weights(0.0).state_dict())
    for epoch, accuracy in enumerate(accuracies, 1):
        best.consider(epoch, accuracy, model.become(epoch))
        if epoch in interrupted_at:
            best = BestEpoch(file, 0.5, Weights(0.0).state_dict())
    best.restore(len(accuracies), model)
    return model.value.item(), best.epoch


@pytest.mark.parametrize(
    ("accuracies", "epoch"),
    [([0.6, 0.7, 0.8], 3), ([0.6, 0.9, 0.8], 2), ([0.4, 0.3], 0), ([0.5], 0), ([0.6, 0.6], 1), ([], 0)],
)
@pytest.mark.parametrize("interrupted_at", [(), (1,), (1, 2), (3,)])
def test_the_best_one_is_kept(
    accuracies: list[float], epoch: int, interrupted_at: tuple[int, ...], tmp_path: Path
) -> None:
    assert after(accuracies, tmp_path / "best.safetensors", interrupted_at=interrupted_at) == (epoch, epoch)


def test_what_another_training_left_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    assert after([0.9, 0.95], file) == (2, 2)
    assert after([0.6, 0.55], file) == (1, 1)
    assert after([0.4, 0.3], file) == (0, 0)


def test_the_start_is_a_copy(tmp_path: Path) -> None:
    model = Weights(0.0)
    best = BestEpoch(tmp_path / "best.safetensors", 0.5, model.state_dict())
    model.become(7)
    best.restore(1, model)
    assert model.value.item() == 0
