"""What a training that a user runs leaves behind for the next."""

import json
from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.running.train_run import was_mirrored


def trained(directory: Path, log: object) -> Path:
    directory.mkdir()
    (directory / "training.json").write_text(json.dumps(log))
    return directory


def test_mirroring_is_that_of_the_first_training_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "pruned").mkdir()
    mirrored = trained(tmp_path / "mirrored", {"recipe": {"flip": True}})
    digits = trained(tmp_path / "digits", {"recipe": {"flip": False}})
    assert not was_mirrored(tmp_path / "pruned", None)
    assert was_mirrored(str(mirrored), digits)
    assert was_mirrored(tmp_path / "pruned", mirrored)
    assert not was_mirrored(digits, mirrored)
    assert was_mirrored(None, "demo"), "as fine-tuning in the demo has it"


def test_a_training_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"training\.json does not say how .*; pass --flip or --no-flip"):
        was_mirrored(trained(tmp_path / "a", {"recipe": 3}))
    (tmp_path / "a" / "training.json").write_text("{")
    with pytest.raises(PrimeSVTError, match=r"Cannot read how .* was trained: training\.json is no JSON"):
        was_mirrored(tmp_path / "a")
