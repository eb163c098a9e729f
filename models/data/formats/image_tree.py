"""Image files in a folder per class, below ``train/`` and below ``test/`` or ``val/``, as torchvision reads them."""

from pathlib import Path

import numpy as np

from ...errors import PrimeSVTError
from ..data_set import DataSet, ImageSource, split
from ..images import FileImages
from .data_format import DataFormat, Frame


def _recognises(path: Path) -> bool:
    return (path / "train").is_dir()


def _open(directory: Path, frame: Frame | None) -> DataSet:
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


def _list_tree(directory: Path, classes: tuple[str, ...], frame: Frame) -> tuple[ImageSource, np.ndarray]:
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


IMAGE_TREE = DataFormat(name="image tree", recognises=_recognises, open=_open)
