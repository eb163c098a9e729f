"""Opening data: paths that hold none, and the frame of a model."""

from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError, frame_of, open_data

from ...conftest import small_config


def test_paths_that_hold_no_data(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"No data at .*nowhere: it does not exist"):
        open_data(tmp_path / "nowhere")
    with pytest.raises(PrimeSVTError, match=r"No data set in .*expected IDX files"):
        open_data(tmp_path)
    (tmp_path / "data.csv").touch()
    with pytest.raises(PrimeSVTError, match=r"Cannot read .*data\.csv: a data file must be \.npz"):
        open_data(str(tmp_path / "data.csv"))


def test_the_frame_of_a_model() -> None:
    assert frame_of(small_config("spikformer")) == (1, 8, 8)
