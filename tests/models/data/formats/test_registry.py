"""The data formats by name, and one of another package, from a file on the disk to the accuracy of a model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from primesvt.models import DATA_FORMATS, PrimeSVTError, data_formats, open_data, predict

from ....distribution import write_distribution

PROJECT = """
[project]
name = "dice"
version = "1"
[project.entry-points."primesvt.data_formats"]
dice = "dice_format:DICE"
"""
FORMAT = """
import numpy as np
from primesvt.models import ArrayImages, DataFormat, split

def open_dice(path, opening):
    images = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, *opening.frame[1:])
    labels = np.arange(len(images)) % 3
    train, test = ((ArrayImages(images[part]), labels[part]) for part in (slice(30), slice(30, None)))
    return split(str(path), ("a", "b", "c"), train, test)

DICE = DataFormat(name="dice", recognises=lambda path: path.suffix == ".dice", open=open_dice)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a package with a format, of the given source."""

    def install(source: str) -> None:
        (tmp_path / "site").mkdir()
        write_distribution(tmp_path / "site", {"dice_format.py": source, "pyproject.toml": PROJECT})
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.delitem(__import__("sys").modules, "dice_format", raising=False)

    return install


def test_a_format_of_another_package_from_the_file_to_the_accuracy(
    package, tmp_path: Path, make_model: Callable[..., nn.Module]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (36, 8, 8), dtype=np.uint8)
    (tmp_path / "throws.dice").write_bytes(pixels.tobytes())
    with pytest.raises(PrimeSVTError, match=r"throws\.dice: a data file must be \.npz"):
        open_data(tmp_path / "throws.dice")
    package(FORMAT)
    assert list(data_formats()) == [*DATA_FORMATS, "dice"]
    data = open_data(tmp_path / "throws.dice", (1, 8, 8))
    assert data.classes == ("a", "b", "c")
    assert len(data.test) == 6
    predictions = predict(make_model(), data.test)
    assert sorted(predictions.labels) == [0, 0, 1, 1, 2, 2]
    (tmp_path / "throws.csv").touch()
    with pytest.raises(PrimeSVTError, match=r"must be \.npz \(see .*\), or of the installed format dice\."):
        open_data(tmp_path / "throws.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PrimeSVTError, match=r"test/ or val/, or of the installed format dice\."):
        open_data(tmp_path / "empty")


def test_own_formats_go_first(package, tmp_path: Path) -> None:
    package(FORMAT.replace('path.suffix == ".dice"', "True"))
    (tmp_path / "a.npz").write_bytes(b"no archive")
    with pytest.raises(PrimeSVTError, match=r"Cannot read .*a\.npz: File is not a zip file"):
        open_data(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise ImportError('no sheets')", r"The data format dice \(dice_format:DICE\) cannot be imported: no sheets"),
        ("DICE = 6", r"The data format dice \(dice_format:DICE\) is a int, expected a DataFormat"),
    ],
)
def test_a_broken_format_of_another_package_is_named(package, tmp_path: Path, source: str, message: str) -> None:
    package(source)
    (tmp_path / "throws.dice").touch()
    with pytest.raises(PrimeSVTError, match=message):
        open_data(tmp_path / "throws.dice")
    # What is not asked for does no harm.
    np.savez(tmp_path / "a.npz", train_images=np.zeros(1))
    with pytest.raises(PrimeSVTError, match="lacks train_labels"):
        open_data(tmp_path / "a.npz")
