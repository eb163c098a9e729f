"""What a data format is: how its data sets are recognised, and how one is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..data_set import DataSet

# Channels, height and width of an image.
Frame = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class DataFormat:
    """A format of data sets.

    Args:
        name: What it is called.
        recognises: Whether a file or directory, which exists, is such a data set; a look at names and first bytes.
        open: Opens one. It gets the path, and the frame to which images of any size are to be brought, or None where
            the caller does not know it; what has a size of its own is taken as it is. It raises
            :class:`~primesvt.models.PrimeSVTError` where the data is damaged, and names the file.
    """

    name: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path, Frame | None], DataSet]
