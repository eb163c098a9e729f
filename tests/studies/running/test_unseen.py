"""Models that know the selection images are told apart from those that do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from primesvt.models import Accuracy, build, open_data
from primesvt.studies.running.subject import Subject
from primesvt.studies.running.unseen import look_before, seen_before

from ...conftest import small_config


def test_a_difference_that_chance_does_not_explain() -> None:
    said = seen_before(Accuracy(right=493, images=500), Accuracy(right=477, images=500))
    assert said is not None
    assert said.startswith("The unpruned model tells 98.60% of 500 selection images, but 95.40% of 500 test images")
    assert "--selection-from-test SHARE" in said


@pytest.mark.parametrize(("selection", "test"), [(458, 456), (470, 455), (400, 480)])
def test_chance_and_the_other_direction_are_no_alarm(selection: int, test: int) -> None:
    assert seen_before(Accuracy(right=selection, images=500), Accuracy(right=test, images=500)) is None


def test_false_alarms_are_rare() -> None:
    rng = np.random.default_rng(0)
    rights = rng.binomial(500, 0.93, (1_000, 2)).tolist()
    alarms = [seen_before(*(Accuracy(right=right, images=500) for right in pair)) is not None for pair in rights]
    assert sum(alarms) <= 15


def test_a_look_before_studies_begin(tmp_path: Path) -> None:
    """The small model is made to know the selection images: their labels are what it answers."""
    model, storage = build(small_config("spikformer")).eval(), optuna.storages.InMemoryStorage()
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    np.savez(
        tmp_path / "a.npz",
        train_images=rng.integers(0, 256, (300, 8, 8), dtype=np.uint8),
        train_labels=labels,
        test_images=rng.integers(0, 256, (100, 8, 8), dtype=np.uint8),
        test_labels=labels[:100],
    )
    data = open_data(tmp_path / "a.npz")
    config = model.config
    images = torch.cat([batch for batch, _ in data.selection.batches(config, 100)])
    with torch.no_grad():
        answers = model(images).argmax(1).numpy()
    known = data.selection.labels.copy()
    known[data.selection.indices] = answers
    learned = Subject(model, replace(data, selection=replace(data.selection, labels=known)))
    assert "100.00% of 100 selection images" in str(look_before(storage, ["a"], learned))
    assert look_before(storage, ["a"], Subject(model, data)) is None
    optuna.create_study(study_name="a", storage=storage)
    assert look_before(storage, ["a"], learned) is None
