"""Opening data sets of any format that is installed."""

from pathlib import Path

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from .data_set import DataSet
from .embedded import open_embedded
from .formats.registry import format_of


def open_data(path: str | Path | None, frame: tuple[int, int, int] | None = None) -> DataSet:
    """Open a data set.

    Args:
        path: A file or directory in one of :func:`~primesvt.models.data_formats`: ``.npz`` file, directory of IDX
            files, directory with ``train/`` and ``test/`` or ``val/``; None is the embedded sample of Fashion-MNIST.
        frame: Channels, height and width to which files of a tree are brought; arrays are taken as they are.

    Raises:
        PrimeSVTError: Nothing there, or not a data set that can be read.
    """
    if path is None:
        return open_embedded()
    path = Path(path)
    if not path.exists():
        raise PrimeSVTError(f"No data at {path}: it does not exist.")
    found = format_of(path)
    if found is not None:
        return found.open(path, frame)
    if path.is_file():
        raise PrimeSVTError(f"Cannot read {path}: a data file must be .npz (see the README for what is in it).")
    raise PrimeSVTError(
        f"No data set in {path}: expected IDX files (train-images-idx3-ubyte...), "
        "or folders train/ and test/ or val/ with a folder per class."
    )


def frame_of(config: ModelConfig) -> tuple[int, int, int]:
    """Channels, height and width of the images that a model reads."""
    return (config.in_channels, *config.image_size)
