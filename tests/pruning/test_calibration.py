"""Only the calibration set calibrates."""

import pytest
import torch

from primesvt.models import DataSet, PrimeSVTError
from primesvt.pruning import Calibration

from ..conftest import noisy_data, small_config


@pytest.mark.parametrize("role", ["fit", "selection", "test"])
def test_other_sets_are_refused(data: DataSet, role: str) -> None:
    with pytest.raises(PrimeSVTError, match=f"Calibrating on the {role} set is refused"):
        Calibration(data.role(role))  # type: ignore[arg-type]


def test_the_first_images(data: DataSet) -> None:
    config = small_config("spikformer")
    calibration = Calibration(data.calibration, 3)
    (images,) = calibration.batches(config)
    assert torch.equal(images, data.calibration.read(config, data.calibration.indices[:3])[0])
    assert calibration.fingerprint == Calibration(data.calibration.first(3)).fingerprint
    assert calibration.fingerprint != Calibration(data.calibration).fingerprint


def test_counts_that_are_refused(data: DataSet) -> None:
    with pytest.raises(PrimeSVTError, match="at least 1, got 0"):
        Calibration(data.calibration, 0)


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="12x12"):
        list(Calibration(noisy_data(size=12).calibration).batches(small_config("spikformer")))
