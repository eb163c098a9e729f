"""Opening data sets: the embedded sample, IDX files, ``.npz`` arrays, and a tree of image files."""

from importlib import resources
from pathlib import Path

import numpy as np

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from .data_set import DataSet, ImageSource, split
from .idx import FASHION_CLASSES, find_idx, open_idx
from .images import ArrayImages, FileImages
from .npz import load_npz, open_npz

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
        return open_npz(path)
    if idx := find_idx(path):
        return open_idx(idx)
    if (path / "train").is_dir():
        return _open_tree(path, frame)
    raise PrimeSVTError(
        f"No data set in {path}: expected IDX files (train-images-idx3-ubyte...), "
        "or folders train/ and test/ or val/ with a folder per class."
    )


def frame_of(config: ModelConfig) -> tuple[int, int, int]:
    """Channels, height and width of the images that a model reads."""
    return (config.in_channels, *config.image_size)


def _open_embedded() -> DataSet:
    with resources.as_file(resources.files(__package__) / "fashion_mnist" / "sample.npz") as file:
        arrays = load_npz(file)
    return split(
        EMBEDDED_NAME,
        FASHION_CLASSES,
        (ArrayImages(arrays["train_images"]), arrays["train_labels"].astype(np.int64)),
        (ArrayImages(arrays["test_images"]), arrays["test_labels"].astype(np.int64)),
        # The sample keeps the random order in which it was drawn from the full training set.
        shuffled=True,
    )


def _open_tree(directory: Path, frame: tuple[int, int, int] | None) -> DataSet:
    if frame is None:
        raise PrimeSVTError(f"{directory} holds image files: say the size to which they are brought (--image-size).")
    if frame[0] not in (1, 3):
        raise PrimeSVTError(f"Image files have 1 or 3 channels, but the model reads {frame[0]}.")
    test = next((directory / name for name in ("test", "val") if (directory / name).is_dir()), None)
    if test is None:
        raise PrimeSVTError(f"{directory} has train/ but neither test/ nor val/.")
    classes = _class_folders(directory / "train")
    if extra := sorted(set(_class_folders(test)) - set(classes)):
        raise PrimeSVTError(f"{test} has classes that train/ has not: {', '.join(extra[:5])}.")
    if len(classes) < 2:
        raise PrimeSVTError(f"{directory / 'train'} must have a folder for each of at least two classes.")
    return split(str(directory), classes, *(_list_tree(part, classes, frame) for part in (directory / "train", test)))


def _class_folders(directory: Path) -> tuple[str, ...]:
    return tuple(sorted(f.name for f in directory.iterdir() if f.is_dir() and not f.name.startswith(".")))


def _list_tree(
    directory: Path, classes: tuple[str, ...], frame: tuple[int, int, int]
) -> tuple[ImageSource, np.ndarray]:
    # Imported where it is needed: torchvision takes seconds, and only folders of images need it.
    from torchvision.datasets.folder import IMG_EXTENSIONS

    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((directory / name).rglob("*"))
        if file.suffix.lower() in IMG_EXTENSIONS and file.is_file()
    ]
    labels = np.array([label for _, label in files], dtype=np.int64)
    if empty := [name for label, name in enumerate(classes) if label not in labels]:
        raise PrimeSVTError(f"{directory} has no image of {', '.join(empty[:5])}: a folder is missing or empty.")
    return FileImages(tuple(file for file, _ in files), frame), labels
