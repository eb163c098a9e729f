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


def _tree(directory: Path) -> ClassTree:
    return ClassTree(directory, (".npz",), "event sequence")


def _recognises(path: Path) -> bool:
    return path.is_dir() and _tree(path).first() is not None


def _open(directory: Path, opening: Opening) -> DataSet:
    first = _tree(directory).first()
    if first is None:
        raise PrimeSVTError(f"{directory} has no event sequence (.npz).")
    steps, *frame = read_frames(first).shape
    # Every file is held against this one when it is read.
    source = partial(FrameFiles, steps=steps, frame=tuple(frame))
    return _tree(directory).open(source, opening.test_fraction)


EVENT_FRAMES = DataFormat(name="event frames", recognises=_recognises, open=_open)
