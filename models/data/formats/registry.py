"""The data formats by name.

Those of PrimeSVT are listed here; a package of anybody's adds one by an entry point in the group
``primesvt.data_formats``, whose value is a :class:`DataFormat`.
"""

from collections.abc import Mapping
from pathlib import Path

from ...plugins import Registry
from .data_format import DataFormat
from .event_frames import EVENT_FRAMES
from .idx import IDX
from .image_tree import IMAGE_TREE
from .npz import NPZ

DATA_FORMATS: Registry[DataFormat] = Registry(
    "data format", "primesvt.data_formats", DataFormat, (NPZ, IDX, EVENT_FRAMES, IMAGE_TREE)
)
# Every installed one by name.
data_formats = DATA_FORMATS.installed


def format_of(path: Path) -> DataFormat | None:
    """The format of what is at a path, or None where no format recognises it.

    Raises:
        PrimeSVTError: PrimeSVT's own formats do not, and another package's cannot be used.
    """
    # Other packages are looked through only for what is not here.
    return _recognising(DATA_FORMATS, path) or _recognising(data_formats(), path)


def _recognising(formats: Mapping[str, DataFormat], path: Path) -> DataFormat | None:
    return next((one for one in formats.values() if one.recognises(path)), None)
