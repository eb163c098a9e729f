"""The directory that a comparison leaves; what it holds in the end is in the tests of the command."""

from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.reporting.result_directory import (
    STORAGE,
    finetuned_in,
    prepare,
    save_options,
    storage_in,
    take_finetuned,
)
from primesvt.studies.running.model_output import OPTIONS_FILE


def test_a_new_directory_is_made_and_may_be_used_again(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    prepare(place)
    (place / "report.html").write_text("of an earlier run")
    prepare(place)
    assert (place / "report.html").read_text() == "of an earlier run"


def test_a_storage_that_is_there_already_is_no_foreign_file(tmp_path: Path) -> None:
    (tmp_path / STORAGE).write_bytes(b"")
    (tmp_path / f"{STORAGE}-journal").write_bytes(b"")
    prepare(tmp_path)
    assert storage_in(tmp_path) == f"sqlite:///{tmp_path}/{STORAGE}"


def test_what_no_comparison_wrote_is_left_alone_and_named(tmp_path: Path) -> None:
    for name in ("d", "c", "b", "a"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(PrimeSVTError, match=r"not the result of a comparison \(a, b, c\); choose another directory"):
        prepare(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b", "c", "d"]


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PrimeSVTError, match=r"Cannot write to .*file/out: Not a directory"):
        prepare(tmp_path / "file" / "out")


def test_options_stay_those_that_results_were_made_with(tmp_path: Path) -> None:
    """A command that is refused afterwards has changed nothing."""
    prepare(tmp_path, "trials = 1\n")
    prepare(tmp_path, "trials = 2\n")
    assert (tmp_path / OPTIONS_FILE).read_text() == "trials = 1\n"
    save_options(tmp_path, "trials = 2\n")
    assert (tmp_path / OPTIONS_FILE).read_text() == "trials = 2\n"


def test_fine_tuned_models_are_those_of_the_comparison(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (finetuned_in(tmp_path / name) / name).mkdir(parents=True)
    take_finetuned(tmp_path / "new", tmp_path / "new")
    take_finetuned(tmp_path / "old", tmp_path / "new")
    assert [place.name for place in finetuned_in(tmp_path / "old").iterdir()] == ["new"]
    take_finetuned(tmp_path / "old", None)
    assert not finetuned_in(tmp_path / "old").exists()
    assert finetuned_in(tmp_path / "new").exists()
