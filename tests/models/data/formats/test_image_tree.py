"""Trees of image files: what is in a set, and what is wrong with a tree."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from primesvt.models import PrimeSVTError, open_data

from ....conftest import small_config

FRAME = (3, 8, 8)


def tree(directory: Path, classes: tuple[str, ...] = ("ant", "bee"), test: str = "test") -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 15), (test, 2)):
        for name in classes:
            (directory / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (9, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(directory / part / name / f"{i}.png")
    return directory


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_tree_of_images(tmp_path: Path, test: str) -> None:
    data = open_data(tree(tmp_path, test=test), FRAME)
    assert data.classes == ("ant", "bee")
    assert (len(data.selection), len(data.calibration), len(data.fit), len(data.test)) == (10, 2, 18, 4)
    assert data.fit.source.frame == FRAME
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    images, labels = data.test.read(
        small_config("spikformer").from_json(
            {
                **small_config("spikformer").to_json(),
                "in_channels": 3,
                "classes": ["bee", "ant"],
                "mean": [0, 0, 0],
                "std": [1, 1, 1],
            }
        ),
        np.arange(4),
    )
    assert images.shape == (4, *FRAME)
    assert labels.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_part_is_the_selection_set(tmp_path: Path, name: str) -> None:
    tree(tmp_path)
    shutil.copytree(tmp_path / "test", tmp_path / name)
    (tmp_path / name / "bee" / "1.png").unlink()
    data = open_data(tmp_path, FRAME)
    assert (len(data.fit), len(data.calibration), len(data.selection), len(data.test)) == (28, 2, 3, 4)
    assert {file.parts[-3] for file in data.selection.source.files} == {name}
    assert data.notes == (f"{name}/ is the selection set.",)


def test_parts_by_other_names(tmp_path: Path) -> None:
    """They would be classes otherwise: two of them, by luck as many as the model has."""
    tree(tmp_path)
    (tmp_path / "train").rename(tmp_path / "Training")
    (tmp_path / "test").rename(tmp_path / "TESTING")
    data = open_data(tmp_path, FRAME)
    assert data.classes == ("ant", "bee")
    assert (len(data.selection), len(data.calibration), len(data.fit), len(data.test)) == (10, 2, 18, 4)


def test_two_names_of_the_same_part(tmp_path: Path) -> None:
    tree(tmp_path)
    shutil.copytree(tmp_path / "test", tmp_path / "val")
    shutil.copytree(tmp_path / "test", tmp_path / "valid")
    with pytest.raises(PrimeSVTError, match="has val/ and valid/, which mean the same"):
        open_data(tmp_path, FRAME)


@pytest.mark.parametrize("name", ["val", "test"])
def test_one_part_alone_is_a_test_set(tmp_path: Path, name: str) -> None:
    tree(tmp_path, test=name)
    shutil.rmtree(tmp_path / "train")
    data = open_data(tmp_path, FRAME)
    assert (len(data.fit), len(data.calibration), len(data.selection), len(data.test)) == (0, 0, 0, 4)
    assert "has test images only" in data.selection.lacking


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    """macOS leaves ``._0.png`` beside ``0.png`` on other file systems."""
    tree(tmp_path)
    (tmp_path / "train" / "ant" / "._0.png").write_bytes(b"Mac OS X")
    (tmp_path / "train" / "__MACOSX").mkdir()  # of an archive that was unpacked there
    (tmp_path / "train" / "ant" / ".thumbnails").mkdir()
    shutil.copy(tmp_path / "train" / "ant" / "0.png", tmp_path / "train" / "ant" / ".thumbnails" / "0.png")
    assert len(open_data(tmp_path, FRAME).fit.source) == 30


def test_class_folders_alone_are_cut_once(tmp_path: Path) -> None:
    tree(tmp_path)
    data = open_data(tmp_path / "train", FRAME)
    assert len(data.test) == 4  # a tenth of 15 of each class
    assert data.notes[0].endswith("4 of its files, 0.1 of every class by a fixed rule, at least one, are the test set.")
    again = open_data(tmp_path / "train", FRAME)
    assert data.test.source.files == again.test.source.files
    assert not set(data.test.source.files) & set(data.fit.source.files)
    assert np.bincount(open_data(tmp_path / "train", FRAME, test_fraction=0.2).test.labels).tolist() == [3, 3]


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "train" / "ant" / "notes.txt").write_text("about")
    (tmp_path / "train" / "ant" / "folder.png").mkdir()
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "README").write_text("about")
    data = open_data(tmp_path, FRAME)
    assert data.classes == ("ant", "bee")
    assert len(data.fit.source) == 30


def test_images_in_folders_below_a_class(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "train" / "bee" / "more").mkdir()
    (tmp_path / "train" / "bee" / "0.png").rename(tmp_path / "train" / "bee" / "more" / "0.PNG")
    assert len(open_data(tmp_path, FRAME).fit.source) == 30


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_class_is_named(tmp_path: Path, part: str) -> None:
    tree(tmp_path)
    shutil.rmtree(tmp_path / part / "bee")
    (tmp_path / part / "bee").mkdir()
    with pytest.raises(PrimeSVTError, match=f"{part} has no image of bee: a folder is missing or empty"):
        open_data(tmp_path, FRAME)


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    tree(tmp_path, ("ant", "bee", "cat"))
    shutil.rmtree(tmp_path / "test" / "bee")
    with pytest.raises(PrimeSVTError, match="test has no image of bee"):
        open_data(tmp_path, FRAME)
    tree(tmp_path / "b", ("ant", "bee", "cat"))
    shutil.rmtree(tmp_path / "b" / "train" / "bee")
    with pytest.raises(PrimeSVTError, match="test has classes that train/ has not: bee"):
        open_data(tmp_path / "b", FRAME)


def test_a_damaged_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "test" / "bee" / "1.png").write_bytes(b"no image")
    data = open_data(tmp_path, FRAME)
    data.test.source.read(np.arange(3))
    with pytest.raises(PrimeSVTError, match=r"Cannot read the image .*bee/1\.png"):
        data.test.source.read(np.arange(4))


def test_a_tree_that_is_no_data_set(tmp_path: Path) -> None:
    tree(tmp_path / "a")
    with pytest.raises(PrimeSVTError, match=r"say the size to which they are brought \(--image-size\)"):
        open_data(tmp_path / "a")
    with pytest.raises(PrimeSVTError, match="Image files have 1 or 3 channels, but the model reads 2"):
        open_data(tmp_path / "a", (2, 8, 8))
    shutil.rmtree(tmp_path / "a" / "test")
    with pytest.raises(PrimeSVTError, match=r"has train/ but neither test/ nor val/; give .*train, and a share"):
        open_data(tmp_path / "a", FRAME)
    tree(tmp_path / "b", ("ant",))
    with pytest.raises(PrimeSVTError, match="a folder for each of at least two classes"):
        open_data(tmp_path / "b", FRAME)


def test_what_was_meant_and_what_is_left_over_is_said(tmp_path: Path) -> None:
    tree(tmp_path / "a" / "unpacked")
    with pytest.raises(PrimeSVTError, match=r"at least two classes; did you mean .*unpacked\?"):
        open_data(tmp_path / "a", FRAME)
    place = tmp_path / "a" / "unpacked"
    (place / "extra").mkdir()
    assert any("no part of the data set: extra." in note for note in open_data(place, FRAME).notes)
    (place / "test" / "bee").rename(place / "test" / "Bee")
    with pytest.raises(PrimeSVTError, match=r"classes that train/ has not: Bee; did you mean bee\?"):
        open_data(place, FRAME)
    (place / "test" / "Bee").rename(place / "test" / "bee")
    (place / "test" / "bee" / "9.png").symlink_to("gone.png")
    with pytest.raises(PrimeSVTError, match=r"9\.png is a link to gone\.png, which does not exist"):
        open_data(place, FRAME)


def test_an_archive_among_images_makes_no_event_frames(tmp_path: Path) -> None:
    tree(tmp_path)
    np.savez(tmp_path / "train" / "bee" / "features.npz", frames=np.zeros((2, 3, 8, 8)))
    data = open_data(tmp_path, FRAME)
    assert data.fit.source.steps is None
    assert len(data.fit.source) == 30
