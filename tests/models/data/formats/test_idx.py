"""IDX files, plain, gzipped and in torchvision's layout; damage is named."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from primesvt.models import PrimeSVTError, open_data
from primesvt.models.data.formats.idx import FASHION_CLASSES, read_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
NAMES = {
    "train-images-idx3-ubyte": (30, 5, 4),
    "train-labels-idx1-ubyte": (30,),
    "t10k-images-idx3-ubyte": (6, 5, 4),
    "t10k-labels-idx1-ubyte": (6,),
}


def encode(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def write(directory: Path, *, gz: bool = False, classes: int = 3, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, shape in NAMES.items():
        made = rng.integers(0, 256, shape) if len(shape) > 1 else np.arange(shape[0]) % classes
        arrays.setdefault(name, made.astype(np.uint8))
        content = encode(arrays[name])
        file = directory / (f"{name}.gz" if gz else name)
        file.write_bytes(gzip.compress(content) if gz else content)
    return arrays


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("below", ["", "raw", "FashionMNIST/raw"])
def test_layouts(tmp_path: Path, gz: bool, below: str) -> None:
    arrays = write(tmp_path / below, gz=gz)
    data = open_data(tmp_path)
    assert data.classes == ("0", "1", "2")
    assert data.fit.source.frame == (1, 5, 4)
    assert (len(data.fit), len(data.calibration), len(data.selection), len(data.test)) == (18, 2, 10, 6)
    pixels = data.test.source.read(data.test.indices)
    expected = arrays["t10k-images-idx3-ubyte"][data.test.indices]
    assert np.array_equal((pixels * 255).round().numpy()[:, 0], expected)
    assert data.test.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_plain_and_gzipped_files_mix(tmp_path: Path) -> None:
    write(tmp_path, gz=True)
    file = tmp_path / "train-labels-idx1-ubyte"
    file.write_bytes(gzip.decompress(file.with_name(file.name + ".gz").read_bytes()))
    file.with_name(file.name + ".gz").unlink()
    assert len(open_data(tmp_path).test) == 6


def test_ten_classes_of_another_data_set_are_just_numbers(tmp_path: Path) -> None:
    write(tmp_path, classes=10)
    assert open_data(tmp_path).classes == tuple("0123456789")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_embedded_sample_is_drawn_from_the_full_data_set() -> None:
    """It is RandomState(0).permutation(60000)[:12000] of the training set, and the whole test set."""
    full, sample = open_data(DEBIAN), open_data(None)
    assert full.classes == sample.classes == FASHION_CLASSES
    assert (len(full.fit), len(full.calibration), len(full.selection), len(full.test)) == (55_000, 1_000, 4_000, 10_000)
    order = np.random.RandomState(0).permutation(60_000)[:12_000]
    assert np.array_equal(sample.fit.source.array, full.fit.source.array[order])
    assert np.array_equal(sample.fit.labels, full.fit.labels[order])
    assert np.array_equal(sample.test.source.array, full.test.source.array)
    assert np.array_equal(sample.test.labels, full.test.labels)
    # So both select on the same images.
    assert np.array_equal(full.selection.indices, order[:4_000])
    assert np.array_equal(sample.selection.indices, np.arange(4_000))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(PrimeSVTError, match=f"Incomplete IDX data set in .*: no {name} \\(or .gz\\)"):
        open_data(tmp_path)


def test_two_data_sets_are_one_too_many(tmp_path: Path) -> None:
    write(tmp_path / "MNIST" / "raw")
    write(tmp_path / "FashionMNIST" / "raw")
    with pytest.raises(PrimeSVTError, match=r"Several data sets in .*FashionMNIST/raw, .*MNIST/raw"):
        open_data(tmp_path)
    assert len(open_data(tmp_path / "MNIST").test) == 6


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3-ubyte", lambda c: c[:-1], r"is damaged: its header promises \(30, 5, 4\), but 599 bytes"),
        ("train-images-idx3-ubyte", lambda c: c + b"0", r"is damaged: its header promises \(30, 5, 4\), but 601 bytes"),
        ("train-images-idx3-ubyte", lambda c: c[:10], "is not an IDX file of bytes with 3 dimensions"),
        ("train-images-idx3-ubyte", lambda c: b"", "is not an IDX file of bytes"),
        ("train-images-idx3-ubyte", lambda c: b"\0\0\x0d\x03" + c[4:], "is not an IDX file of bytes"),
        ("train-images-idx3-ubyte", lambda c: c[:4] + b"\xff" * 12 + c[16:], r"header promises \(4294967295, "),
        ("t10k-labels-idx1-ubyte", lambda c: encode(np.zeros((2, 3), np.uint8)), "bytes with 1 dimensions"),
        ("t10k-labels-idx1-ubyte", lambda c: encode(np.zeros(5, np.uint8)), "6 test images but 5 labels"),
        ("t10k-images-idx3-ubyte", lambda c: encode(np.zeros((6, 5, 5), np.uint8)), "but those of the test set"),
        ("train-labels-idx1-ubyte", lambda c: encode(np.full(30, 7, np.uint8)), None),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, damage, message: str | None) -> None:
    write(tmp_path)
    file = tmp_path / name
    file.write_bytes(damage(file.read_bytes()))
    if message is None:
        assert len(open_data(tmp_path).classes) == 8
        return
    with pytest.raises(PrimeSVTError, match=message):
        open_data(tmp_path)


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"no gzip", lambda c: c[:40] + b"x" * 99])
def test_damaged_gzip(tmp_path: Path, damage) -> None:
    write(tmp_path, gz=True)
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(PrimeSVTError, match=r"Cannot read .*train-images-idx3-ubyte\.gz"):
        open_data(tmp_path)


def test_reading_one_file(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a").write_bytes(encode(array))
    assert np.array_equal(read_idx(tmp_path / "a", 3), array)
