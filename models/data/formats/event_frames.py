"""Event sequences in a folder per class, one ``.npz`` file each, as SpikingJelly writes them.

``spikingjelly.datasets`` integrates events into ``frames`` ``[T, C, H, W]`` (``data_type="frame"``): CIFAR10-DVS and
N-Caltech101 in class folders alone, DVS128 Gesture below ``train/`` and ``test/``.
"""

from functools import partial
from pathlib import Path

from ...errors import PrimeSVTError
from ..data_set import DataSet
from ..images import FrameFiles, read_frames
from .class_tree import ClassTree
from .data_format import DataFormat, Opening
from .image_tree import SUFFIXES as IMAGE_SUFFIXES

SUFFIX = ".npz"


def _tree(directory: Path) -> ClassTree:
    return ClassTree(directory, (SUFFIX,), "event sequence")


def _recognises(path: Path) -> bool:
    # The first file of either kind decides: a look for one kind alone would walk through all the files of the other.
    first = ClassTree(path, (*IMAGE_SUFFIXES, SUFFIX), "file").first() if path.is_dir() else None
    return first is not None and first.suffix.lower() == SUFFIX


def _open(directory: Path, opening: Opening) -> DataSet:
    first = _tree(directory).first()
    if first is None:
        raise PrimeSVTError(f"{directory} has no event sequence (.npz).")
    steps, *frame = read_frames(first).shape
    # Every file is held against this one when it is read.
    source = partial(FrameFiles, steps=steps, frame=tuple(frame))
    return _tree(directory).open(source, opening.test_fraction)


EVENT_FRAMES = DataFormat(name="event frames", recognises=_recognises, open=_open)
