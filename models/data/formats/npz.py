"""Data sets in an ``.npz`` file of numpy: ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

Optional: ``classes``, the names. Arrays stored uncompressed (``numpy.savez``) are memory-mapped; Python objects are
never loaded.
"""

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import PrimeSVTError
from ..data_set import DataSet, split
from ..images import ArrayImages
from .data_format import DataFormat, Frame

# Far above every published data set; a label beyond it is damage, and would name as many classes.
MAX_CLASSES = 100_000


def _recognises(path: Path) -> bool:
    return path.is_file() and path.suffix == ".npz"


def _open(file: Path, _frame: Frame | None) -> DataSet:
    arrays = load_npz(file)
    names = ("train_images", "train_labels", "test_images", "test_labels")
    if missing := [name for name in names if name not in arrays]:
        raise PrimeSVTError(f"{file} lacks {', '.join(missing)}; it must have {', '.join(names)}.")
    for name in ("train_images", "test_images"):
        _check_images(file, name, arrays[name])
    for name in ("train_labels", "test_labels"):
        if arrays[name].ndim != 1 or arrays[name].dtype.kind not in "iu":
            raise PrimeSVTError(f"{file}: {name} must be integers [N], got {_describe(arrays[name])}.")
    shapes = [arrays[name].shape[1:] for name in ("train_images", "test_images")]
    if shapes[0] != shapes[1]:
        raise PrimeSVTError(f"{file}: training images are {shapes[0]} but test images {shapes[1]}.")
    labels = {name: np.asarray(arrays[name]).astype(np.int64) for name in ("train_labels", "test_labels")}
    count = max(int(values.max(initial=0)) for values in labels.values()) + 1
    if count > MAX_CLASSES:
        raise PrimeSVTError(f"{file}: labels must be 0 to {MAX_CLASSES - 1}, got {count - 1}.")
    return split(
        str(file),
        _class_names(file, arrays["classes"]) if "classes" in arrays else tuple(map(str, range(count))),
        (ArrayImages(arrays["train_images"]), labels["train_labels"]),
        (ArrayImages(arrays["test_images"]), labels["test_labels"]),
    )


def _check_images(file: Path, name: str, array: np.ndarray) -> None:
    pictures = array.dtype == np.uint8 and array.ndim in (3, 4)
    events = array.dtype == np.float32 and array.ndim == 5
    if not (pictures or events) or 0 in array.shape[1:]:
        raise PrimeSVTError(
            f"{file}: {name} must be uint8 [N, H, W] or [N, H, W, C], or float32 [N, T, C, H, W], "
            f"got {_describe(array)}."
        )


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
