"""Values as people write them."""

import pytest

from primesvt.models import PrimeSVTError
from primesvt.pruning import Units
from primesvt.pruning.measures.units import COUNTS

COUNTED = {
    "1500000": 1.5e6,
    "1.5MB": 1.5e6,
    "800KiB": 800 * 1024,
    "4M": 4e6,
    "2g": 2e9,
    " 8.25 ": 8.25,
    "1e6": 1e6,
    "1e+6 B": 1e6,
    "+5": 5.0,
}


@pytest.mark.parametrize(("text", "number"), COUNTED.items())
def test_counts_and_bytes(text: str, number: float) -> None:
    assert COUNTS.read(text) == number


@pytest.mark.parametrize("text", ["", "MB", "1.2.3", "4 apples", "-1", "0", "inf", "nan", "1e999", "3 M B"])
def test_what_is_no_number_above_zero(text: str) -> None:
    with pytest.raises(PrimeSVTError) as failure:
        COUNTS.read(text)
    units = "B, k, kB, M, MB, G, GB, Ki, KiB, Mi, MiB, Gi, GiB"
    said = f"expected a number above 0, such as 1500000 or 1.5M, got {text!r}; units are {units}"
    assert str(failure.value) == said


def test_units_of_ones_own() -> None:
    units = Units({"eV": 1, "keV": 1e3, "µeV": 1e-6}, "3 or 3keV")
    written = ("2", "2eV", "2EV", "2e0 ev", "0.002keV", "2e+6 \u00b5eV", "2e6\u03bceV")
    assert [units.read(text) for text in written] == pytest.approx([2.0] * len(written))
    with pytest.raises(PrimeSVTError, match=r"such as 3 or 3keV, got '2MeV'; units are eV, keV, µeV$"):
        units.read("2MeV")
