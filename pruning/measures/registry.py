"""The measures by name."""

from collections.abc import Mapping

from primesvt.models import named, plugin, with_plugins

from .inference_state import STATE_BYTES
from .measure import Measure
from .parameters import PARAMETERS

ENTRY_POINTS = "primesvt.measures"
MEASURES: Mapping[str, Measure] = named((PARAMETERS, STATE_BYTES))


def measures() -> Mapping[str, Measure]:
    """Every measure that is installed, by name: PrimeSVT's own, and those of other packages.

    Raises:
        PrimeSVTError: Another package's measure cannot be used.
    """
    return with_plugins(MEASURES, ENTRY_POINTS, Measure, "measure")


def measure_named(name: str) -> Measure:
    """The measure of a name.

    Raises:
        PrimeSVTError: There is none.
    """
    return plugin(name, MEASURES, ENTRY_POINTS, Measure, "measure")
