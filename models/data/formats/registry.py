"""The data formats by name.

Those of PrimeSVT are listed here; a package of anybody's adds one by an entry point in the group
``primesvt.data_formats``, whose value is a :class:`DataFormat`.
"""

from collections.abc import Mapping
from pathlib import Path

from ...plugins import named, with_plugins
from .data_format import DataFormat
from .event_frames import EVENT_FRAMES
from .idx import IDX
from .image_tree import IMAGE_TREE
from .npz import NPZ

ENTRY_POINTS = "primesvt.data_formats"
DATA_FORMATS: Mapping[str, DataFormat] = named((NPZ, IDX, EVENT_FRAMES, IMAGE_TREE))


def data_formats() -> Mapping[str, DataFormat]:
    """Every format that is installed, by name: PrimeSVT's own, and those of other packages.

    Raises:
        PrimeSVTError: Another package's format cannot be used.
    """
    return with_plugins(DATA_FORMATS, ENTRY_POINTS, DataFormat, "data format")


def format_of(path: Path) -> DataFormat | None:
    """The format of what is at a path, or None where no format recognises it.

    Raises:
        PrimeSVTError: PrimeSVT's own formats do not, and another package's cannot be used.
    """
    # Other packages are looked through only for what is not here.
    return _recognising(DATA_FORMATS, path) or _recognising(data_formats(), path)


def _recognising(formats: Mapping[str, DataFormat], path: Path) -> DataFormat | None:
    return next((one for one in formats.values() if one.recognises(path)), None)
