"""Measures by name."""

import pytest

from primesvt.models import PrimeSVTError
from primesvt.pruning import MEASURES, measure_named


def test_every_measure_says_what_it_counts() -> None:
    for name, measure in MEASURES.items():
        assert measure.name == name == name.lower()
        assert measure.label
        assert measure.text(1234567.0).startswith("1,234,567")


def test_unknown_measures_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="Unknown measure 'joy'; known are parameters, size, int8-size"):
        measure_named("joy")
