"""Image files in a folder per class, below ``train/`` and below ``test/`` or ``val/``, as torchvision reads them."""

from functools import partial
from pathlib import Path

from ...errors import PrimeSVTError
from ..data_set import DataSet
from ..images import FileImages
from .class_tree import ClassTree
from .data_format import DataFormat, Opening

# As torchvision.datasets.folder.IMG_EXTENSIONS, whose import takes seconds.
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def _tree(directory: Path) -> ClassTree:
    return ClassTree(directory, SUFFIXES, "image")


def _recognises(path: Path) -> bool:
    # A tree with parts is one of images where it is nothing else: its own messages say what is missing.
    return path.is_dir() and (bool(_tree(path).parts) or _tree(path).first() is not None)


def _open(directory: Path, opening: Opening) -> DataSet:
    frame = opening.frame
    if frame is None:
        raise PrimeSVTError(f"{directory} holds image files: say the size to which they are brought (--image-size).")
    if frame[0] not in (1, 3):
        raise PrimeSVTError(f"Image files have 1 or 3 channels, but the model reads {frame[0]}.")
    return _tree(directory).open(partial(FileImages, frame=frame), opening.test_fraction)


IMAGE_TREE = DataFormat(name="image tree", recognises=_recognises, open=_open)
