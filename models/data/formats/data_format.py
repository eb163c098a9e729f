"""What a data format is: how its data sets are recognised, and how one is opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..data_set import DataSet

# Channels, height and width of an image.
Frame = tuple[int, int, int]
# As CIFAR10-DVS is usually cut.
DEFAULT_TEST_FRACTION = 0.1


@dataclass(frozen=True, kw_only=True)
class Opening:
    """How a data set is to be opened.

    Args:
        frame: To which images of any size are to be brought; None where the caller does not know. What has a size of
            its own is taken as it is.
        test_fraction: Share of every class that is the test set, where the data has no parts of its own; the data set
            says so then (``cut_by_fraction``).
    """

    frame: Frame | None = None
    test_fraction: float = DEFAULT_TEST_FRACTION


@dataclass(frozen=True, kw_only=True)
class DataFormat:
    """A format of data sets.

    Args:
        name: What it is called.
        recognises: Whether a file or directory, which exists, is such a data set; a look at names and first bytes.
        open: Opens one. It raises :class:`~primesvt.models.PrimeSVTError` where the data is damaged, and names the
            file.
    """

    name: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path, Opening], DataSet]
