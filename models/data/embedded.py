"""The data set that is always there: a sample of Fashion-MNIST, which lies beside this file."""

from importlib import resources

import numpy as np

from .data_set import DataSet, split
from .formats.idx import FASHION_CLASSES
from .formats.npz import load_npz
from .images import ArrayImages

EMBEDDED_NAME = "Fashion-MNIST (embedded sample)"


def open_embedded() -> DataSet:
    """12,000 of the 60,000 training images, and all 10,000 test images.

    Raises:
        PrimeSVTError: The file that came with the package is lost or damaged.
    """
    with resources.as_file(resources.files(__package__) / "fashion_mnist" / "sample.npz") as file:
        arrays = load_npz(file)
    return split(
        EMBEDDED_NAME,
        FASHION_CLASSES,
        (ArrayImages(arrays["train_images"]), arrays["train_labels"].astype(np.int64)),
        (ArrayImages(arrays["test_images"]), arrays["test_labels"].astype(np.int64)),
        # The sample keeps the random order in which it was drawn from the full training set.
        shuffled=True,
    )
