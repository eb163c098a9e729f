"""What a call is given beside its options: an object of the right kind, or a name."""

import argparse

import numpy as np
import pytest

from primesvt.models import PrimeSVTError, load_model
from primesvt.studies.notebook.given import data_of, model_of, storage_given


def test_what_is_neither_object_nor_name_is_refused() -> None:
    """Images in an array would be passed over otherwise, for the embedded sample."""
    with pytest.raises(PrimeSVTError, match=r"data must be a path, a DataSet .*; got ndarray"):
        data_of(argparse.Namespace(data=None), np.zeros((3, 28, 28)), load_model("demo"), "test")  # type: ignore[arg-type]
    with pytest.raises(PrimeSVTError, match=r"model must be a directory, .*; got NoneType"):
        model_of(None)  # type: ignore[arg-type]
    with pytest.raises(PrimeSVTError, match=r"storage must be a URL, .*; got int"):
        storage_given(3)  # type: ignore[arg-type]
