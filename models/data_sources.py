"""Reading data sets: the embedded sample, IDX files, ``.npz`` arrays, and a tree of image files.

Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms*, arXiv:1708.07747, MIT licence.
"""

import gzip
import hashlib
import zipfile
import zlib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.transforms import functional as transforms

from .config import ModelConfig
from .data import DataSet, ImageSource, split
from .errors import PrimeSVTError

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
EMBEDDED_NAME = "Fashion-MNIST (embedded sample)"


def open_data(path: str | Path | None, frame: tuple[int, int, int] | None = None) -> DataSet:
    """Open a data set.

    Args:
        path: Directory of IDX files, ``.npz`` file, or directory with ``train/`` and ``test/`` or ``val/``; None is the
            embedded sample of Fashion-MNIST.
        frame: Channels, height and width to which files of a tree are brought; arrays are taken as they are.

    Raises:
        PrimeSVTError: Nothing there, or not a data set that can be read.
    """
    if path is None:
        return _open_embedded()
    path = Path(path)
    if not path.exists():
        raise PrimeSVTError(f"No data at {path}: it does not exist.")
    if path.is_file():
        if path.suffix != ".npz":
            raise PrimeSVTError(f"Cannot read {path}: a data file must be .npz (see the README for what is in it).")
        return _open_npz(path)
    if idx := _find_idx(path):
        return _open_idx(idx)
    if (path / "train").is_dir():
        return _open_tree(path, frame)
    raise PrimeSVTError(
        f"No data set in {path}: expected IDX files (train-images-idx3-ubyte...), "
        "or folders train/ and test/ or val/ with a folder per class."
    )


def frame_of(config: ModelConfig) -> tuple[int, int, int]:
    """Channels, height and width of the images that a model reads."""
    return (config.in_channels, *config.image_size)


@dataclass(frozen=True)
class ArrayImages:
    """Images in one array, in memory or memory-mapped.

    Args:
        array: uint8 ``[N, H, W]`` or ``[N, H, W, C]``, or float32 ``[N, T, C, H, W]``.
    """

    array: np.ndarray = field(repr=False)

    @property
    def frame(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        shape = self.array.shape
        if self.array.ndim == 5:
            return (shape[2], shape[3], shape[4])
        return (shape[3] if self.array.ndim == 4 else 1, shape[1], shape[2])

    def __len__(self) -> int:
        return len(self.array)

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Images ``[N, C, H, W]`` in [0, 1], or event sequences ``[T, N, C, H, W]``."""
        # Plain slices of a memory-mapped file are read in one piece.
        batch = torch.from_numpy(np.array(self.array[indices]))
        if batch.ndim == 5:
            return batch.transpose(0, 1).contiguous()
        batch = batch.unsqueeze(1) if batch.ndim == 3 else batch.permute(0, 3, 1, 2)
        return batch.to(torch.float32).div(255).contiguous()

    def digest(self) -> str:
        """Shape, and the bytes of 64 images spread over the array."""
        spread = np.linspace(0, len(self.array) - 1, min(64, len(self.array))).astype(np.int64)
        sample = np.ascontiguousarray(self.array[spread])
        return f"{self.array.shape}{self.array.dtype}{hashlib.sha256(sample.tobytes()).hexdigest()}"


@dataclass(frozen=True)
class FileImages:
    """Image files, decoded when they are read; the shorter side is scaled to the frame and the middle cut out.

    Args:
        files: The files.
        frame: Channels (1 or 3), height and width they are brought to.
    """

    files: tuple[Path, ...] = field(repr=False)
    frame: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Images ``[N, C, H, W]`` in [0, 1].

        Raises:
            PrimeSVTError: A file is damaged.
        """
        return torch.stack([self._decode(self.files[i]) for i in indices])

    def _decode(self, file: Path) -> torch.Tensor:
        channels, height, width = self.frame
        try:
            with Image.open(file) as image:
                pixels = image.convert("L" if channels == 1 else "RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise PrimeSVTError(f"Cannot read the image {file}: {error}.") from error
        if pixels.size != (width, height):
            scale = max(height / pixels.height, width / pixels.width)
            size = [max(height, round(pixels.height * scale)), max(width, round(pixels.width * scale))]
            pixels = transforms.center_crop(transforms.resize(pixels, size), [height, width])
        tensor: torch.Tensor = transforms.to_tensor(pixels)
        return tensor

    def digest(self) -> str:
        """Names and sizes of the files, and the frame."""
        listing = "\n".join(f"{file.parent.name}/{file.name}:{file.stat().st_size}" for file in self.files)
        return f"{self.frame}{hashlib.sha256(listing.encode()).hexdigest()}"


def _open_embedded() -> DataSet:
    with resources.as_file(resources.files(__package__) / "fashion_mnist" / "sample.npz") as file:
        arrays = _load_npz(file)
    return split(
        EMBEDDED_NAME,
        FASHION_CLASSES,
        (ArrayImages(arrays["train_images"]), arrays["train_labels"].astype(np.int64)),
        (ArrayImages(arrays["test_images"]), arrays["test_labels"].astype(np.int64)),
        # The sample keeps the random order in which it was drawn from the full training set.
        shuffled=True,
    )


IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def _find_idx(directory: Path) -> dict[str, Path] | None:
    """The four IDX files in a directory, plain or gzipped, also in torchvision's ``FashionMNIST/raw`` below it."""
    for folder in (directory, *sorted(directory.glob("*/raw")), directory / "raw"):
        found = {key: file for key, stem in IDX_FILES.items() if (file := _plain_or_gz(folder / stem)) is not None}
        if found:
            if missing := [IDX_FILES[key] for key in IDX_FILES if key not in found]:
                raise PrimeSVTError(f"Incomplete IDX data set in {folder}: no {', '.join(missing)} (or .gz).")
            return found
    return None


def _plain_or_gz(file: Path) -> Path | None:
    return next((f for f in (file, file.with_name(file.name + ".gz")) if f.is_file()), None)


def _open_idx(files: dict[str, Path]) -> DataSet:
    arrays = {key: read_idx(file, 3 if key.endswith("images") else 1) for key, file in files.items()}
    classes = max(int(arrays[key].max(initial=0)) for key in ("train_labels", "test_labels")) + 1
    names = FASHION_CLASSES if classes == len(FASHION_CLASSES) else tuple(map(str, range(classes)))
    return split(
        str(files["train_images"].parent),
        names,
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
    if len(content) - start != int(np.prod(shape, dtype=np.uint64)):
        raise PrimeSVTError(f"{file} is damaged: its header promises {shape}, but {len(content) - start} bytes follow.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _open_npz(file: Path) -> DataSet:
    arrays = _load_npz(file)
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
    return split(
        str(file),
        tuple(map(str, arrays["classes"])) if "classes" in arrays else tuple(map(str, range(count))),
        (ArrayImages(arrays["train_images"]), labels["train_labels"]),
        (ArrayImages(arrays["test_images"]), labels["test_labels"]),
    )


def _check_images(file: Path, name: str, array: np.ndarray) -> None:
    pictures = array.dtype == np.uint8 and array.ndim in (3, 4)
    events = array.dtype == np.float32 and array.ndim == 5
    if not (pictures or events):
        raise PrimeSVTError(
            f"{file}: {name} must be uint8 [N, H, W] or [N, H, W, C], or float32 [N, T, C, H, W], "
            f"got {_describe(array)}."
        )


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _load_npz(file: Path) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file; those stored uncompressed are memory-mapped."""
    arrays = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    stored = member.compress_type == zipfile.ZIP_STORED
                    array = _map_array(file, member, stream) if stored else np.lib.format.read_array(stream)
                arrays[member.filename.removesuffix(".npy")] = array
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise PrimeSVTError(f"Cannot read {file}: {error}.") from error
    return arrays


def _map_array(file: Path, member: zipfile.ZipInfo, stream: IO[bytes]) -> np.ndarray:
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError(f"{member.filename} holds Python objects, which are never loaded")
    header = stream.tell()
    with file.open("rb") as raw:
        # The local header's name and extra field lie before the data; their lengths are at bytes 26 to 30.
        raw.seek(member.header_offset + 26)
        lengths = np.frombuffer(raw.read(4), "<u2")
    start = member.header_offset + 30 + int(lengths.sum()) + header
    if member.file_size - header != int(np.prod(shape, dtype=np.uint64)) * dtype.itemsize:
        raise ValueError(f"{member.filename} is damaged: its size is not that of its header")
    if not np.prod(shape):
        return np.empty(shape, dtype)
    return np.memmap(file, dtype, "r", start, shape, "F" if fortran else "C")


def _open_tree(directory: Path, frame: tuple[int, int, int] | None) -> DataSet:
    if frame is None:
        raise PrimeSVTError(f"{directory} holds image files: say the size to which they are brought (--image-size).")
    if frame[0] not in (1, 3):
        raise PrimeSVTError(f"Image files have 1 or 3 channels, but the model reads {frame[0]}.")
    test = next((directory / name for name in ("test", "val") if (directory / name).is_dir()), None)
    if test is None:
        raise PrimeSVTError(f"{directory} has train/ but neither test/ nor val/.")
    classes = tuple(sorted(folder.name for folder in (directory / "train").iterdir() if folder.is_dir()))
    if extra := sorted({folder.name for folder in test.iterdir() if folder.is_dir()} - set(classes)):
        raise PrimeSVTError(f"{test} has classes that train/ has not: {', '.join(extra[:5])}.")
    if len(classes) < 2:
        raise PrimeSVTError(f"{directory / 'train'} must have a folder for each of at least two classes.")
    return split(str(directory), classes, *(_list_tree(part, classes, frame) for part in (directory / "train", test)))


def _list_tree(
    directory: Path, classes: tuple[str, ...], frame: tuple[int, int, int]
) -> tuple[ImageSource, np.ndarray]:
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((directory / name).rglob("*"))
        if file.suffix.lower() in IMG_EXTENSIONS
    ]
    labels = np.array([label for _, label in files], dtype=np.int64)
    return FileImages(tuple(file for file, _ in files), frame), labels
