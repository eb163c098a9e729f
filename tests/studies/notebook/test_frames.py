"""Tables as frames, and the curve of a training."""

import sys

import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.notebook.frames import epochs_figure, frame


def test_rows_become_a_frame() -> None:
    pytest.importorskip("pandas")
    made = frame([[1, "a"], [2, "b"]], ["number", "letter"], ["x", "y"])
    assert list(made.columns) == ["number", "letter"]
    assert made.loc["y", "letter"] == "b"


def test_pandas_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PrimeSVTError, match=r"Frames need pandas: python -m pip install 'primesvt\[notebook\]'"):
        frame([])


def test_a_curve_is_in_per_cent() -> None:
    (curve,) = epochs_figure({0: 0.25, 1: 0.5}).data
    assert (list(curve.x), list(curve.y)) == ([0, 1], [25, 50])
