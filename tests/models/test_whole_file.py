"""A file is written whole or not at all."""

from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError, partial_file, whole_file


def test_what_went_well_is_in_place(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.json"
    with whole_file(file) as partial:
        partial.write_text("new")
        assert partial == partial_file(file)
        assert not file.exists()
    assert [each.name for each in file.parent.iterdir()] == ["a.json"]
    assert file.read_text() == "new"


def write(file: Path, error: Exception | None = None, what: str = "") -> None:
    with whole_file(file, what) as partial:
        partial.write_text("half")
        if error is not None:
            raise error


def test_what_went_wrong_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")
    with pytest.raises(ValueError, match="no"):
        write(file, ValueError("no"))
    assert file.read_text() == "old"
    assert not partial_file(file).exists()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PrimeSVTError, match=r"Cannot write the plan .*file/a\.json: (Not a directory|File exists)"):
        write(tmp_path / "file" / "a.json", what="the plan")
    with pytest.raises(PrimeSVTError, match=r"Cannot write .*a: No space left on device\."):
        write(tmp_path / "a", OSError(28, "No space left on device"))
    assert not (tmp_path / "a").exists()
