"""Opening data: paths that hold none, and the frame of a model."""

from pathlib import Path

import pytest

from primesvt.models import PrimeSVTError, frame_of, open_data, with_selection, with_selection_from_test

from ...conftest import small_config
from .formats.test_image_tree import FRAME, tree


def test_paths_that_hold_no_data(tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"No data at .*nowhere: it does not exist"):
        open_data(tmp_path / "nowhere")
    with pytest.raises(PrimeSVTError, match=r"No data set in .*expected IDX files"):
        open_data(tmp_path)
    (tmp_path / "data.csv").touch()
    with pytest.raises(PrimeSVTError, match=r"Cannot read .*data\.csv: a data file must be \.npz"):
        open_data(str(tmp_path / "data.csv"))


@pytest.mark.parametrize(
    ("path", "message"),
    [(3, "Data is named by its file or directory, .*; got 3"), ("", "The data has an empty name"), (" ", "empty name")],
)
def test_what_is_no_path_is_refused(path, message: str) -> None:
    """An empty name would be the directory at hand, which a script that lost a variable does not mean."""
    with pytest.raises(PrimeSVTError, match=message):
        open_data(path)


def test_a_fraction_that_changes_nothing_is_said(tmp_path: Path) -> None:
    tree(tmp_path)
    assert open_data(tmp_path, FRAME).notes == ()
    said = open_data(tmp_path, FRAME, test_fraction=0.2)
    assert said.notes == (f"{tmp_path} has a test set of its own: --test-fraction changes nothing.",)
    assert len(open_data(tmp_path / "train", FRAME, test_fraction=0.2).notes) == 1
    assert "--test-fraction changes nothing" in open_data(None, test_fraction=0.2).notes[0]


@pytest.mark.parametrize(
    ("share", "guess"), [(0, r"0\."), (1.5, r"1\.5; did you mean 0\.015"), (20, "did you mean 0.2")]
)
def test_a_fraction_out_of_its_range(tmp_path: Path, share: float, guess: str) -> None:
    with pytest.raises(PrimeSVTError, match=rf"The test fraction must be above 0 and at most 1, got .*{guess}"):
        open_data(tree(tmp_path) / "train", FRAME, test_fraction=share)


def test_the_frame_of_a_model() -> None:
    assert frame_of(small_config("spikformer")) == (1, 8, 8)


def test_another_selection_set(tmp_path: Path) -> None:
    data = open_data(tree(tmp_path / "a"), FRAME)
    tree(tmp_path / "b")
    other = with_selection(data, tmp_path / "b" / "test", FRAME)
    assert len(other.selection) == 4
    assert other.selection.role == "selection"
    assert other.selection.fingerprint != data.test.fingerprint
    assert (other.fit, other.test) == (data.fit, data.test)
    with pytest.raises(PrimeSVTError, match="b has several parts"):
        with_selection(data, tmp_path / "b", FRAME)
    tree(tmp_path / "c", ("ant", "cat"))
    with pytest.raises(PrimeSVTError, match=r"c/test has the classes ant, cat\.\.\., but"):
        with_selection(data, tmp_path / "c" / "test", FRAME)


def test_a_part_of_the_test_set_for_selection(tmp_path: Path) -> None:
    data = open_data(tree(tmp_path), FRAME)
    other = with_selection_from_test(data, 0.5)
    assert other.selection.role == "selection"
    assert other.selection.source is other.test.source
    assert sorted([*other.selection.indices, *other.test.indices]) == sorted(data.test.indices)
    for share in (0.0, 0.01, 0.99, 1.0, float("nan")):
        with pytest.raises(PrimeSVTError, match="leaves nothing to select or to test on"):
            with_selection_from_test(data, share)
