"""The calibration images: which they are, and that no others are ever looked at."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from primesvt.models import DataSet, PrimeSVTError
from primesvt.pruning import Calibration

from ..conftest import noisy_data, small_config

CONFIG = small_config("spike-driven-transformer")


@pytest.mark.parametrize("role", ["fit", "selection", "test"])
def test_other_sets_are_refused(data: DataSet, role: str) -> None:
    with pytest.raises(PrimeSVTError, match=f"calibration set alone, got the {role} set"):
        Calibration(data.role(role))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, -1, 1025])
def test_the_number_of_images_is_limited(data: DataSet, count: int) -> None:
    with pytest.raises(PrimeSVTError, match=r"must be 1 to 1,024"):
        Calibration(data.calibration, count)


def test_the_first_images_are_read_in_their_order(data: DataSet) -> None:
    calibration = Calibration(data.calibration, 3)
    expected, _ = data.calibration.read(CONFIG, data.calibration.indices[:3])
    assert len(calibration) == 3
    assert torch.equal(calibration.read(CONFIG), expected)
    assert [len(batch) for batch in calibration.batches(CONFIG, 2)] == [2, 1]


def test_labels_come_with_the_images_for_who_asks(data: DataSet) -> None:
    calibration = Calibration(data.calibration, 3)
    images, labels = (torch.cat(parts) for parts in zip(*calibration.labelled(CONFIG, 2), strict=True))
    assert torch.equal(images, calibration.read(CONFIG))
    assert labels.tolist() == data.calibration.labels[data.calibration.indices[:3]].tolist()


def test_of_a_small_set_all_images_are_used(data: DataSet) -> None:
    calibration = Calibration(data.calibration)
    assert len(calibration) == len(data.calibration) == len(calibration.read(CONFIG))


def test_images_that_do_not_fit_the_model_are_refused() -> None:
    calibration = Calibration(noisy_data(size=12).calibration)
    with pytest.raises(PrimeSVTError, match="12x12"):
        calibration.read(CONFIG)


def test_the_fingerprint_says_which_images(data: DataSet) -> None:
    calibration = Calibration(data.calibration, 4)
    assert calibration.fingerprint == Calibration(noisy_data().calibration, 4).fingerprint
    assert calibration.fingerprint != calibration.first(3).fingerprint
    assert calibration.fingerprint != Calibration(noisy_data(seed=1).calibration, 4).fingerprint
    # More than there are is all that there are.
    assert Calibration(data.calibration, 900).fingerprint == Calibration(data.calibration, 1000).fingerprint


def test_at_least_one_image_is_needed(data: DataSet) -> None:
    empty = replace(data.calibration, indices=np.array([], dtype=np.int64))
    with pytest.raises(PrimeSVTError, match="calibration set is empty"):
        Calibration(empty)
