"""Arrays in .npz files: compressed or memory-mapped, and every damage named."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from primesvt.models import PrimeSVTError, open_data
from primesvt.models.data.formats.npz import load_npz

from ....conftest import small_config


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    base = {
        "train_images": rng.integers(0, 256, (30, 5, 4), dtype=np.uint8),
        "train_labels": np.arange(30) % 3,
        "test_images": rng.integers(0, 256, (6, 5, 4), dtype=np.uint8),
        "test_labels": np.arange(6) % 3,
    }
    return {name: array for name, array in {**base, **changes}.items() if array is not None}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_grey_images(tmp_path: Path, save, order: str) -> None:
    given = arrays()
    given["train_images"] = np.asarray(given["train_images"], order=order)
    save(tmp_path / "a.npz", **given)
    data = open_data(tmp_path / "a.npz")
    assert data.classes == ("0", "1", "2")
    assert data.fit.source.frame == (1, 5, 4)
    assert (len(data.fit), len(data.calibration), len(data.selection), len(data.test)) == (18, 2, 10, 6)
    assert np.array_equal(data.fit.source.array, given["train_images"])
    assert data.fit.labels.tolist() == given["train_labels"].tolist()
    assert isinstance(data.fit.source.array, np.memmap) == (save is np.savez)
    assert data.fit.source.read(data.fit.indices).shape == (18, 1, 5, 4)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_colour_images_and_events(tmp_path: Path, save) -> None:
    colour = [np.random.default_rng(0).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8) for n in (30, 6)]
    save(tmp_path / "c.npz", **arrays(train_images=colour[0], test_images=colour[1]))
    assert open_data(tmp_path / "c.npz").test.source.frame == (3, 5, 4)
    events = [np.random.default_rng(0).random((n, 4, 2, 5, 3), dtype=np.float32) for n in (30, 6)]
    save(tmp_path / "e.npz", **arrays(train_images=events[0], test_images=events[1]))
    data = open_data(tmp_path / "e.npz")
    assert data.test.source.frame == (2, 5, 3)
    batch = data.test.source.read(np.array([5]))
    assert torch.equal(batch[:, 0], torch.from_numpy(events[1][5]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float64])
def test_events_of_any_real_type(tmp_path: Path, dtype) -> None:
    counts = [np.random.default_rng(0).integers(0, 9, (n, 4, 2, 5, 3)).astype(dtype) for n in (30, 6)]
    np.savez(tmp_path / "e.npz", **arrays(train_images=counts[0], test_images=counts[1]))
    source = open_data(tmp_path / "e.npz").test.source
    assert (source.frame, source.steps) == ((2, 5, 3), 4)
    assert torch.equal(source.read(np.array([5]))[:, 0], torch.from_numpy(counts[1][5].astype(np.float32)))


def test_a_file_of_medmnist(tmp_path: Path) -> None:
    """Labels ``[N, 1]``, and a validation part, which is the selection set."""
    given = arrays()
    given |= {"val_images": given["test_images"][:3] // 2, "val_labels": np.arange(3)}
    for name in ("train_labels", "val_labels", "test_labels"):
        given[name] = given[name][:, None]
    np.savez(tmp_path / "m.npz", **given)
    data = open_data(tmp_path / "m.npz")
    assert (len(data.fit), len(data.calibration), len(data.selection), len(data.test)) == (28, 2, 3, 6)
    assert np.array_equal(data.selection.source.array, given["val_images"])
    assert data.notes == ("val_images are the selection set.",)
    assert data.test.labels.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("names", [("valid_images", "valid_labels"), ("x_validation", "y_validation")])
def test_a_validation_part_by_other_names(tmp_path: Path, names: tuple[str, str]) -> None:
    given = arrays()
    images, labels = given["test_images"][:3], given["test_labels"][:3]
    np.savez(tmp_path / "v.npz", **given, **{names[0]: images, names[1]: labels})
    assert np.array_equal(open_data(tmp_path / "v.npz").selection.source.array, images)


@pytest.mark.parametrize("train", [True, False])
def test_validation_images_are_the_test_set_where_there_is_no_other(tmp_path: Path, train: bool) -> None:
    given = {name.replace("test", "val"): array for name, array in arrays().items() if train or "train" not in name}
    np.savez(tmp_path / "v.npz", **given)
    data = open_data(tmp_path / "v.npz")
    assert (len(data.test), len(data.selection) > 0) == (6, train)
    assert data.notes[0] == "val_images are the test set, as there are no test images."


def test_labels_that_begin_with_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", **arrays(train_labels=np.arange(30) % 3 + 1, test_labels=np.arange(6) % 3 + 1))
    assert open_data(tmp_path / "o.npz").notes == (
        "Labels begin with 1, but count from 0: they are taken for 4 classes.",
    )


def test_labels_may_be_names_or_whole_floats(tmp_path: Path) -> None:
    names = np.array(["cat", "ant", "bee"])
    given = arrays(train_labels=names[np.arange(30) % 3], test_labels=names[np.arange(6) % 3].reshape(-1, 1))
    np.savez(tmp_path / "a.npz", **given)
    data = open_data(tmp_path / "a.npz")
    assert data.classes == ("ant", "bee", "cat")
    assert data.test.labels.tolist() == [2, 0, 1, 2, 0, 1]
    np.savez(tmp_path / "b.npz", **given, classes=names)
    assert open_data(tmp_path / "b.npz").test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    np.savez(tmp_path / "c.npz", **given, classes=names[:2])
    with pytest.raises(PrimeSVTError, match="_labels names bee, which classes has not"):
        open_data(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", **arrays(train_labels=np.arange(30) % 3.0))
    assert open_data(tmp_path / "d.npz").fit.labels.tolist() == [0, 1, 2] * 10


def test_names_of_arrays_in_capitals(tmp_path: Path) -> None:
    given = arrays()
    capitals = {("X_" if "images" in name else "Y_") + name.partition("_")[0]: a for name, a in given.items()}
    np.savez(tmp_path / "a.npz", **capitals)
    assert len(open_data(tmp_path / "a.npz").test) == 6
    np.savez(tmp_path / "b.npz", **capitals, x_train=given["train_images"])
    with pytest.raises(PrimeSVTError, match="differ in upper and lower case alone"):
        open_data(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("pixels", "text"),
    [(np.nan, "pixels that are no numbers"), (255.0, "Divide them by"), (-1.0, "Scale them from their smallest")],
)
def test_pixels_that_are_not_of_the_unit_interval(tmp_path: Path, pixels: float, text: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays(test_images=np.full((6, 5, 4), pixels), train_images=np.zeros((30, 5, 4))))
    with pytest.raises(PrimeSVTError, match=text):
        open_data(tmp_path / "a.npz")


def test_the_names_of_keras(tmp_path: Path) -> None:
    given = {name.replace("images", "x").replace("labels", "y"): array for name, array in arrays().items()}
    np.savez(tmp_path / "k.npz", **{f"{name[-1]}_{name[:-2]}": array for name, array in given.items()})
    assert np.array_equal(open_data(tmp_path / "k.npz").test.source.array, arrays()["test_images"])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_pixels(tmp_path: Path, dtype) -> None:
    pixels = [np.random.default_rng(0).random((n, 5, 4, 3)).astype(dtype) for n in (30, 6)]
    np.savez(tmp_path / "f.npz", **arrays(train_images=pixels[0], test_images=pixels[1]))
    data = open_data(tmp_path / "f.npz")
    assert data.notes == ("Floating point pixels are taken as they are, in [0, 1].",)
    expected = torch.from_numpy(pixels[1].astype(np.float32)).permute(0, 3, 1, 2)
    assert torch.equal(data.test.source.read(np.arange(6)), expected)


def test_a_pixel_beyond_the_range_is_found_when_it_is_read(tmp_path: Path) -> None:
    pixels = np.zeros((600, 5, 4), np.float32)
    pixels[1] = 7  # not among those looked at when the file is opened
    np.savez(tmp_path / "f.npz", **arrays(test_images=pixels, test_labels=np.arange(600) % 3))
    with pytest.raises(PrimeSVTError, match=r"pixels must lie in \[0, 1\]; got 0 to 7"):
        open_data(tmp_path / "f.npz").test.source.read(np.arange(3))


def test_channels_first(tmp_path: Path) -> None:
    pixels = [np.random.default_rng(0).integers(0, 256, (n, 3, 9, 8), dtype=np.uint8) for n in (30, 6)]
    np.savez(tmp_path / "c.npz", **arrays(train_images=pixels[0], test_images=pixels[1]))
    data = open_data(tmp_path / "c.npz")
    assert data.test.source.frame == (3, 9, 8)
    assert data.notes == ("Images [3, 9, 8] are taken as channels, height and width.",)
    assert torch.equal(data.test.source.read(np.arange(6)), torch.from_numpy(pixels[1]).float() / 255)


def test_test_images_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **arrays(train_images=None, train_labels=None))
    data = open_data(tmp_path / "t.npz")
    assert len(data.test) == 6
    with pytest.raises(PrimeSVTError, match=r"The selection set is empty: .*t\.npz has test images only"):
        data.selection.check(config_of_the_data(data))


def config_of_the_data(data):
    config = small_config("spikformer").to_json()
    size = {"image_size": [5, 4], "classes": list(data.classes)}
    return small_config("spikformer").from_json({**config, **size})


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, ">i4"])
def test_labels_of_any_integer_type(tmp_path: Path, dtype) -> None:
    np.savez(tmp_path / "a.npz", **arrays(train_labels=(np.arange(30) % 3).astype(dtype)))
    data = open_data(tmp_path / "a.npz")
    assert data.fit.labels.dtype == np.int64
    assert data.fit.labels.tolist() == (np.arange(30) % 3).tolist()


def test_class_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(classes=np.array(["cat", "dog", "örn", "unseen"])))
    assert open_data(tmp_path / "a.npz").classes == ("cat", "dog", "örn", "unseen")


def objects() -> np.ndarray:
    return np.array([{}] * 30, dtype=object)


BAD_ARRAYS = [
    ({"test_labels": None, "train_images": None}, "lacks train_images, test_labels; it must have train_images, train"),
    (
        {"train_images": np.full((30, 5, 4), 2.0)},
        r"train_images is float64, so its pixels must lie in \[0, 1\]; got 2 to 2",
    ),
    ({"train_images": np.full((30, 5, 4), np.nan)}, "pixels that are no numbers"),
    ({"train_images": np.zeros((30, 5, 4), int)}, r"train_images must be \[N, H, W\] .* got int64 \[30, 5, 4\]"),
    ({"train_images": np.zeros((30, 20), np.uint8)}, r"train_images must be \[N, H, W\] .* got uint8 \[30, 20\]"),
    ({"train_images": np.zeros((30, 2, 2, 2, 2), complex)}, r"train_images must be .* got complex128"),
    ({"test_images": np.zeros((6, 0, 4), np.uint8)}, r"test_images must be .* got uint8 \[6, 0, 4\]"),
    ({"test_images": np.zeros((6, 5, 5), np.uint8)}, r"images of train_images are \(5, 4\), but test images \(5, 5\)"),
    ({"test_images": np.zeros((7, 5, 4), np.uint8)}, "7 test images but 6 labels"),
    ({"test_images": np.zeros((0, 5, 4), np.uint8), "test_labels": np.zeros(0, int)}, "one test image, got none"),
    ({"train_labels": np.arange(29) % 3}, "30 training images but 29 labels"),
    (
        {"train_labels": np.full(30, 0.5)},
        r"train_labels must be whole numbers or names .* \[N, 1\], got float64 \[30\]",
    ),
    ({"train_labels": np.full(30, "a")}, r"train_labels must be whole numbers or names of classes"),
    ({"train_labels": np.zeros((30, 2), int)}, "train_labels must be whole numbers .* several labels each"),
    (
        {"train_labels": np.eye(3)[np.arange(30) % 3]},
        r"train_labels must be whole numbers .*; store their argmax\(axis=1\)",
    ),
    ({"x_valid": np.zeros((3, 5, 4), np.uint8)}, "lacks y_valid"),
    ({"y_train": np.zeros(30, int)}, r"in several ways \(train_images, train_labels, y_train\); keep one"),
    ({"val_images": np.zeros((3, 5, 4), np.uint8)}, "lacks val_labels"),
    (
        {"val_images": np.zeros((0, 5, 4), np.uint8), "val_labels": np.zeros(0, int)},
        "its validation part holds no image",
    ),
    ({"train_labels": np.zeros(30, bool)}, "train_labels must be whole numbers"),
    ({"train_labels": np.arange(30) % 3 - 1}, "training labels must be 0 to 2, got -1 to 1"),
    ({"train_labels": np.full(30, 2**63 + 1, np.uint64)}, "training labels must be 0 to"),
    ({"train_labels": np.full(30, 2**62)}, "labels must be 0 to 99999, got 4611686018427387904"),
    ({"test_labels": np.full(6, 100_000)}, "labels must be 0 to 99999, got 100000"),
    ({"classes": np.array(["a", "b"])}, "training labels must be 0 to 1, got 0 to 2"),
    ({"classes": np.array(["a", "b", "b"])}, "classes with different names"),
    ({"classes": np.array([b"a", b"b", b"c"])}, "classes must be strings"),
    ({"classes": np.array([1.0, 2.0, 3.0])}, "classes must be strings"),
    ({"classes": np.array([["a", "b", "c"]])}, "classes must be strings"),
    ({"train_labels": np.zeros(30, int), "test_labels": np.zeros(6, int)}, "at least two classes"),
    ({"train_images": objects()}, r"Cannot read .*a\.npz: .*Python objects, which are never loaded"),
    ({"classes": objects()}, r"Cannot read .*a\.npz: classes\.npy holds Python objects"),
]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(("changes", "message"), BAD_ARRAYS)
def test_bad_arrays_are_named(tmp_path: Path, save, changes, message: str) -> None:
    save(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(PrimeSVTError, match=message):
        open_data(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9, 0.999])
def test_truncated_files(tmp_path: Path, save, part: float) -> None:
    save(tmp_path / "whole.npz", **arrays())
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: int(part * len(content))])
    with pytest.raises(PrimeSVTError, match=r"Cannot read .*a\.npz"):
        open_data(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_damaged_byte_is_harmless_or_named(tmp_path: Path, save) -> None:
    """Pixels that changed cannot be noticed where they are memory-mapped; nothing else than PrimeSVTError may come."""
    save(tmp_path / "whole.npz", **arrays())
    content = (tmp_path / "whole.npz").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for position in rng.integers(0, len(content), 150):
        damaged = bytearray(content)
        damaged[position] ^= int(rng.integers(1, 256))
        (tmp_path / "a.npz").write_bytes(damaged)
        try:
            data = open_data(tmp_path / "a.npz")
            data.fit.source.read(data.fit.indices)
        except PrimeSVTError as error:
            assert str(tmp_path / "a.npz") in str(error)  # noqa: PT017
            refused += 1
    assert refused > 15


def write_member(file: Path, shape: str, content: bytes, *, compressed: bool, descr: str = "|u1") -> None:
    header = io.BytesIO()
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    header.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.npy", header.getvalue() + content)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "shape", ["(10000000000000,)", "(4294967296, 4294967296)", "(3,)", "(-1,)", "(" + "9" * 40 + ",)"]
)
def test_a_header_that_lies_claims_no_memory(tmp_path: Path, shape: str, compressed: bool) -> None:
    write_member(tmp_path / "a.npz", shape, b"ab", compressed=compressed)
    with pytest.raises(PrimeSVTError, match=r"a\.npy is damaged: its size is not that of its header"):
        load_npz(tmp_path / "a.npz")
    write_member(tmp_path / "a.npz", "(2,)", b"ab", compressed=compressed)
    assert load_npz(tmp_path / "a.npz")["a"].tolist() == [97, 98]


def test_other_files_in_the_archive_do_not_matter(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("README.txt", "about")
    assert len(open_data(tmp_path / "a.npz").test) == 6
