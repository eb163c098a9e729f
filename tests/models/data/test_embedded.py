"""The embedded sample: its sets, its classes, and that no image is in two sets."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from primesvt.models import DataSet, PrimeSVTError, open_data
from primesvt.models.data import embedded as embedded_sample
from primesvt.models.data.formats.idx import FASHION_CLASSES


@pytest.fixture(scope="module")
def embedded() -> DataSet:
    return open_data(None)


def test_the_embedded_sample(embedded: DataSet) -> None:
    assert embedded.name == "Fashion-MNIST (embedded sample)"
    assert embedded.classes == FASHION_CLASSES
    sizes = (len(embedded.selection), len(embedded.calibration), len(embedded.fit), len(embedded.test))
    assert sizes == (4_000, 1_000, 7_000, 10_000)
    parts = (embedded.selection.indices, embedded.calibration.indices, embedded.fit.indices)
    assert sorted(np.concatenate(parts)) == list(range(12_000))
    assert embedded.fit.source.frame == (1, 28, 28)
    assert embedded.fit.source is not embedded.test.source


def test_every_part_of_the_sample_has_every_class(embedded: DataSet) -> None:
    for role, least in (("fit", 600), ("calibration", 70), ("selection", 350), ("test", 1_000)):
        part = embedded.role(role)
        assert np.bincount(part.labels[part.indices], minlength=10).min() >= least


def test_no_image_is_in_two_parts_of_the_sample(embedded: DataSet) -> None:
    """Fashion-MNIST itself repeats no image between its training and test set."""
    seen: set[bytes] = set()
    for part in (embedded.fit, embedded.calibration, embedded.selection, embedded.test):
        own = {hashlib.blake2b(part.source.array[i].tobytes()).digest() for i in part.indices}
        assert not own & seen
        seen |= own


def test_a_lost_sample_is_named(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded_sample.resources, "files", lambda _package: tmp_path)
    with pytest.raises(PrimeSVTError, match=r"Cannot read .*sample\.npz"):
        open_data(None)
