"""Data sets in an ``.npz`` file of numpy: ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

Optional: ``val_images`` and ``val_labels``, as in MedMNIST's files (J. Yang et al., *MedMNIST v2*, Scientific Data 10,
2023), and ``classes``, the names. Keras' names, ``x_train``, ``y_train`` and so on, mean the same. Arrays stored
uncompressed (``numpy.savez``) are memory-mapped; Python objects are never loaded.
"""

import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import PrimeSVTError
from ..data_set import DataSet, split
from ..images import ArrayImages, check_pixels, spread
from .data_format import DataFormat, Opening

# Far above every published data set; a label beyond it is damage, and would name as many classes.
MAX_CLASSES = 100_000
# Images and labels of each part, by every name that they are known by: ours and MedMNIST's, and Keras'.
_NAMES = {
    "train": (("train_images", "train_labels"), ("x_train", "y_train")),
    "validation": tuple(
        names
        for name in ("val", "valid", "validation")
        for names in ((f"{name}_images", f"{name}_labels"), (f"x_{name}", f"y_{name}"))
    ),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
}
_CHANNELS = (1, 2, 3, 4)
_LOOKED_AT = 256


def _recognises(path: Path) -> bool:
    return path.is_file() and path.suffix == ".npz"


def _open(file: Path, _opening: Opening) -> DataSet:
    arrays = _by_lower_case(file, load_npz(file))
    notes: set[str] = set()
    found = _parts(file, arrays, notes)
    classes = _class_names(file, arrays["classes"]) if "classes" in arrays else None
    if classes is None:
        classes = _named_by_labels([arrays[labels] for _, labels in found.values()])
    parts = {
        part: (
            ArrayImages(_images(file, names[0], arrays[names[0]], notes)),
            _labels(file, names[1], arrays[names[1]], classes),
        )
        for part, names in found.items()
    }
    shapes = {part: source.array.shape[1:] for part, (source, _) in parts.items()}
    if differing := next((part for part in shapes if shapes[part] != shapes["test"]), None):
        raise PrimeSVTError(
            f"{file}: images of {found[differing][0]} are {shapes[differing]}, but test images {shapes['test']}."
        )
    count = max(int(labels.max(initial=0)) for _, labels in parts.values()) + 1
    if count > MAX_CLASSES:
        raise PrimeSVTError(f"{file}: labels must be 0 to {MAX_CLASSES - 1}, got {count - 1}.")
    lowest = min((int(labels.min()) for _, labels in parts.values() if len(labels)), default=0)
    if lowest > 0 and classes is None:
        notes.add(f"Labels begin with {lowest}, but count from 0: they are taken for {count} classes.")
    return split(
        str(file),
        tuple(map(str, range(count))) if classes is None else classes,
        parts.get("train"),
        parts["test"],
        validation=parts.get("validation"),
        notes=tuple(sorted(notes)),
    )


def _parts(file: Path, arrays: Mapping[str, np.ndarray], notes: set[str]) -> dict[str, tuple[str, str]]:
    """Names of the images and labels of every part; a validation part is the test set where there is no other."""
    spelled = {part: [names for names in known if arrays.keys() & set(names)] for part, known in _NAMES.items()}
    if several := next((known for known in spelled.values() if len(known) > 1), None):
        named = ", ".join(name for names in several for name in names if name in arrays)
        raise PrimeSVTError(f"{file} names the arrays of one part in several ways ({named}); keep one.")
    found = {part: known[0] for part, known in spelled.items() if known}
    lacking = [name for names in found.values() for name in names if name not in arrays]
    if lacking or not found.keys() & {"test", "validation"}:
        lacking = lacking or list(_NAMES["test"][0])
        raise PrimeSVTError(
            f"{file} lacks {', '.join(lacking)}; it must have train_images, train_labels, test_images and test_labels, "
            f"and may have val_images and val_labels, or the same as x_train, y_train...; it has "
            f"{', '.join(sorted(arrays)[:8]) or 'nothing'}."
        )
    if "test" not in found:
        found["test"] = found.pop("validation")
        notes.add(f"{found['test'][0]} are the test set, as there are no test images.")
    elif "validation" in found:
        notes.add(f"{found['validation'][0]} are the selection set.")
    return found


def _images(file: Path, name: str, array: np.ndarray, notes: set[str]) -> np.ndarray:
    """Images ``[N, H, W]`` or ``[N, H, W, C]``, or event sequences ``[N, T, C, H, W]``, as a view of what is stored."""
    pictures = (array.dtype == np.uint8 or array.dtype.kind == "f") and array.ndim in (3, 4)
    events = array.dtype.kind in "uif" and array.ndim == 5
    if not (pictures or events) or 0 in array.shape[1:]:
        raise PrimeSVTError(
            f"{file}: {name} must be [N, H, W] or [N, H, W, C], uint8 or floating point in [0, 1], or event sequences "
            f"[N, T, C, H, W]; got {_describe(array)}."
        )
    if array.ndim == 4 and array.shape[1] in _CHANNELS and array.shape[3] not in _CHANNELS:
        notes.add(f"Images {list(array.shape[1:])} are taken as channels, height and width.")
        array = np.moveaxis(array, 1, 3)
    if pictures and array.dtype.kind == "f" and len(array):
        # A look at some; the others are looked at when they are read.
        check_pixels(array[spread(len(array), _LOOKED_AT)], f"{file}: {name}")
        notes.add("Floating point pixels are taken as they are, in [0, 1].")
    return array


def _by_lower_case(file: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays by their names in lower case: X_train is x_train."""
    found = {name.lower(): array for name, array in arrays.items()}
    if len(found) < len(arrays):
        raise PrimeSVTError(f"{file} has arrays whose names differ in upper and lower case alone; keep one of each.")
    return found


def _named_by_labels(labels: Sequence[np.ndarray]) -> tuple[str, ...] | None:
    """Names of the classes, in their order, where labels are names; None where they are numbers."""
    if not all(array.dtype.kind == "U" for array in labels):
        return None
    return tuple(sorted({str(name) for array in labels for name in array.ravel()}))


def _labels(file: Path, name: str, array: np.ndarray, classes: tuple[str, ...] | None) -> np.ndarray:
    """Labels int64 ``[N]``, also of what MedMNIST and Keras store as ``[N, 1]``, of whole floats, and of names."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1 and array.dtype.kind == "U" and classes is not None:
        if unknown := sorted(set(map(str, array)) - set(classes)):
            raise PrimeSVTError(f"{file}: {name} names {', '.join(unknown[:5])}, which classes has not.")
        place = {name: number for number, name in enumerate(classes)}
        return np.array([place[str(each)] for each in array], np.int64)
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array == np.rint(array)).all()))
    if array.ndim != 1 or not whole:
        raise PrimeSVTError(
            f"{file}: {name} must be whole numbers or names of classes, [N] or [N, 1], got {_describe(array)}"
            f"{_instead(array)}."
        )
    return np.asarray(array).astype(np.int64)


def _instead(array: np.ndarray) -> str:
    """What to do about labels of more than one column."""
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        return ""
    one_hot = len(array) and bool((((array == 0) | (array == 1)).all()) and (array.sum(1) == 1).all())
    return "; store their argmax(axis=1)" if one_hot else "; images with several labels each are no classification"


def _class_names(file: Path, names: np.ndarray) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind != "U":
        raise PrimeSVTError(f"{file}: classes must be strings [classes], got {_describe(names)}.")
    return tuple(map(str, names))


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def load_npz(file: Path) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file; those stored uncompressed are memory-mapped.

    Raises:
        PrimeSVTError: The file is damaged, or holds Python objects.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    with archive.open(member) as stream:
                        arrays[member.filename.removesuffix(".npy")] = _read_array(file, member, stream)
    except Exception as error:  # zipfile, its decompressors and numpy raise whatever the damaged bytes lead to
        raise PrimeSVTError(f"Cannot read {file}: {error or type(error).__name__}.") from error
    return arrays


def _read_array(file: Path, member: zipfile.ZipInfo, stream: IO[bytes]) -> np.ndarray:
    # Everything that the header promises is checked before memory is claimed for it.
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds Python objects, which are never loaded")
    header = stream.tell()
    if member.file_size - header != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{member.filename} is damaged: its size is not that of its header")
    if not math.prod(shape):
        return np.empty(shape, dtype)
    if member.compress_type != zipfile.ZIP_STORED:
        return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran else "C")
    with file.open("rb") as raw:
        # The local header's name and extra field lie before the data; their lengths are at bytes 26 to 30.
        raw.seek(member.header_offset + 26)
        lengths = np.frombuffer(raw.read(4), "<u2")
    start = member.header_offset + 30 + int(lengths.sum()) + header
    return np.memmap(file, dtype, "r", start, shape, "F" if fortran else "C")


NPZ = DataFormat(name="npz", recognises=_recognises, open=_open)
