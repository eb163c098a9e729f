"""IDX files, the format of MNIST and its successors: plain or gzipped, also in torchvision's layout.

Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms*, arXiv:1708.07747, MIT licence.
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from ...errors import PrimeSVTError
from ..data_set import DataSet, split
from ..images import ArrayImages
from .data_format import DataFormat, Opening

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# IDX files do not name their classes, and MNIST's look the same: SHA-256 of Fashion-MNIST's test labels.
FASHION_TEST_LABELS = "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def _recognises(path: Path) -> bool:
    return path.is_dir() and bool(_found(path))


def _found(directory: Path) -> dict[Path, dict[str, Path]]:
    """The IDX files by folder: plain or gzipped, also in torchvision's ``FashionMNIST/raw`` below a directory."""
    folders = {}
    for folder in (directory, directory / "raw", *sorted(directory.glob("*/raw"))):
        found = {key: file for key, stem in IDX_FILES.items() if (file := _plain_or_gz(folder / stem)) is not None}
        if found:
            folders[folder] = found
    return folders


def _plain_or_gz(file: Path) -> Path | None:
    return next((f for f in (file, file.with_name(file.name + ".gz")) if f.is_file()), None)


def _open(directory: Path, _opening: Opening) -> DataSet:
    folders = _found(directory)
    if len(folders) > 1:
        raise PrimeSVTError(f"Several data sets in {directory}, choose one: {', '.join(map(str, folders))}.")
    ((folder, files),) = folders.items()
    if missing := [IDX_FILES[key] for key in IDX_FILES if key not in files]:
        raise PrimeSVTError(f"Incomplete IDX data set in {folder}: no {', '.join(missing)} (or .gz).")
    arrays = {key: read_idx(file, 3 if key.endswith("images") else 1) for key, file in files.items()}
    classes = max(int(arrays[key].max(initial=0)) for key in ("train_labels", "test_labels")) + 1
    fashion = hashlib.sha256(arrays["test_labels"].tobytes()).hexdigest() == FASHION_TEST_LABELS
    shapes = [arrays[key].shape[1:] for key in ("train_images", "test_images")]
    if shapes[0] != shapes[1]:
        raise PrimeSVTError(f"{files['train_images']}: images are {shapes[0]}, but those of the test set {shapes[1]}.")
    return split(
        str(files["train_images"].parent),
        FASHION_CLASSES if fashion else tuple(map(str, range(classes))),
        (ArrayImages(arrays["train_images"]), arrays["train_labels"].astype(np.int64)),
        (ArrayImages(arrays["test_images"]), arrays["test_labels"].astype(np.int64)),
    )


def read_idx(file: Path, ndim: int) -> np.ndarray:
    """Read an IDX file of bytes, gzipped or not.

    Raises:
        PrimeSVTError: The file is damaged, or has another number of dimensions.
    """
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise PrimeSVTError(f"Cannot read {file}: {error}.") from error
    start = 4 + 4 * ndim
    if content[:4] != bytes((0, 0, 8, ndim)) or len(content) < start:
        raise PrimeSVTError(f"{file} is not an IDX file of bytes with {ndim} dimensions.")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    if len(content) - start != math.prod(shape):
        raise PrimeSVTError(f"{file} is damaged: its header promises {shape}, but {len(content) - start} bytes follow.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


IDX = DataFormat(name="idx", recognises=_recognises, open=_open)
