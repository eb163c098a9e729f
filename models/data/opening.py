"""Opening data sets of any format that is installed."""

from dataclasses import replace
from pathlib import Path

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from .data_set import DataSet
from .embedded import open_embedded
from .formats.data_format import DEFAULT_TEST_FRACTION, Frame, Opening
from .formats.registry import DATA_FORMATS, data_formats, format_of


def open_data(
    path: str | Path | None,
    frame: Frame | None = None,
    *,
    test_fraction: float | None = None,
) -> DataSet:
    """Open a data set.

    Args:
        path: A file or directory in one of :func:`~primesvt.models.data_formats`: ``.npz`` file, directory of IDX
            files, tree of images or of event frames with a folder per class; None is the embedded sample of
            Fashion-MNIST.
        frame: Channels, height and width to which files of a tree are brought; arrays are taken as they are.
        test_fraction: Share of every class that is the test set, where the data has no parts of its own, above 0 and at
            most 1; a tenth where it is None.

    Raises:
        PrimeSVTError: Nothing there, or not a data set that can be read.
    """
    if test_fraction is not None and not 0 < test_fraction <= 1:
        guess = f"; did you mean {test_fraction / 100:g}?" if 1 < test_fraction < 100 else "."
        raise PrimeSVTError(f"The test fraction must be above 0 and at most 1, got {test_fraction:g}{guess}")
    data = open_embedded() if path is None else _opened(_place(path), frame, test_fraction or DEFAULT_TEST_FRACTION)
    if test_fraction is None or data.cut_by_fraction:
        return data
    return replace(
        data, notes=(*data.notes, f"{data.name} has a test set of its own: --test-fraction changes nothing.")
    )


def _place(path: str | Path) -> Path:
    """A path as it was given.

    Raises:
        PrimeSVTError: It is none.
    """
    if not isinstance(path, str | Path):
        raise PrimeSVTError(f"Data is named by its file or directory, or None for the embedded sample; got {path!r}.")
    if not str(path).strip():
        raise PrimeSVTError(
            "The data has an empty name: give a file or a directory, or nothing for the embedded sample."
        )
    return Path(path)


def _opened(path: Path, frame: Frame | None, test_fraction: float) -> DataSet:
    if not path.exists():
        raise PrimeSVTError(f"No data at {path}: it does not exist.")
    found = format_of(path)
    if found is not None:
        return found.open(path, Opening(frame=frame, test_fraction=test_fraction))
    if path.is_file():
        raise PrimeSVTError(
            f"Cannot read {path}: a data file must be .npz (see the README for what is in it){_of_others()}."
        )
    raise PrimeSVTError(
        f"No data set in {path}: expected IDX files (train-images-idx3-ubyte...), "
        "or a folder per class with images or event frames (.npz), alone or below train/ and test/ or "
        f"val/{_of_others()}."
    )


def with_selection(data: DataSet, path: str | Path, frame: Frame | None = None) -> DataSet:
    """The same data with other images for its selection set: all of those at a path.

    Args:
        data: The data set.
        path: A folder with a folder per class, or a data set that has one part only.
        frame: As for :func:`open_data`.

    Raises:
        PrimeSVTError: There is nothing, or it has several parts or other classes.
    """
    found = open_data(path, frame, test_fraction=1.0)
    if len(found.fit) or len(found.selection):
        raise PrimeSVTError(
            f"{path} has several parts, so it is not plain which is meant; give the folder of one part, with a folder "
            "per class, or an .npz file with test_images and test_labels alone."
        )
    if found.classes != data.classes:
        raise PrimeSVTError(
            f"{path} has the classes {', '.join(found.classes[:5])}..., but {data.name} has "
            f"{', '.join(data.classes[:5])}...; they must be the same."
        )
    return replace(data, selection=replace(found.test, role="selection"))


def with_selection_from_test(data: DataSet, fraction: float) -> DataSet:
    """The same data with a part of its test set as selection set; no report looks at that part.

    For a model whose training images are not known, or were all that there are: on its own training images a pruned
    model looks better than it is.

    Args:
        data: The data set.
        fraction: Of the test images, above 0 and below 1.

    Raises:
        PrimeSVTError: One of the two parts would be empty.
    """
    if 1 < fraction < 100:
        raise PrimeSVTError(f"A fraction of the test images is between 0 and 1; did you mean {fraction / 100:g}?")
    count = round(fraction * len(data.test)) if 0 < fraction < 1 else 0
    if not 0 < count < len(data.test):
        raise PrimeSVTError(
            f"A fraction of {fraction:g} of {len(data.test):,} test images leaves nothing to select or to test on; "
            "give one between 0 and 1."
        )
    # The order of a test set is random and fixed, so both parts are of all classes.
    selection = replace(data.test, role="selection", indices=data.test.indices[:count])
    return replace(data, selection=selection, test=replace(data.test, indices=data.test.indices[count:]))


def _of_others() -> str:
    """The formats that other packages add."""
    others = [name for name in data_formats() if name not in DATA_FORMATS]
    return f", or of the installed {'formats' if len(others) > 1 else 'format'} {', '.join(others)}" if others else ""


def frame_of(config: ModelConfig) -> Frame:
    """Channels, height and width of the images that a model reads."""
    return (config.in_channels, *config.image_size)
