"""The measures by name."""

from collections.abc import Mapping

from primesvt.models import Registry

from .energy import ENERGY
from .inference_state import STATE_BYTES
from .int8_size import INT8_SIZE
from .latency import LATENCY
from .macs import MACS
from .measure import Measure
from .parameters import PARAMETERS
from .size import SIZE
from .synops import SYNOPS

_OWN = (PARAMETERS, SIZE, INT8_SIZE, STATE_BYTES, SYNOPS, MACS, ENERGY, LATENCY)
MEASURES: Registry[Measure] = Registry("measure", "primesvt.measures", Measure, _OWN)
# Every installed one by name, and the one of a name, of whatever package.
measures, measure_named = MEASURES.installed, MEASURES.find


def measures_at_once() -> Mapping[str, Measure]:
    """Every installed one that needs no table of the unpruned model, which takes long to make."""
    return {name: measure for name, measure in measures().items() if not measure.needs_table}
