"""The measures by name."""

from primesvt.models import Registry

from .energy import ENERGY
from .inference_state import STATE_BYTES
from .macs import MACS
from .measure import Measure
from .parameters import PARAMETERS
from .size import SIZE
from .synops import SYNOPS

_OWN = (PARAMETERS, SIZE, STATE_BYTES, SYNOPS, MACS, ENERGY)
MEASURES: Registry[Measure] = Registry("measure", "primesvt.measures", Measure, _OWN)
# Every installed one by name, and the one of a name, of whatever package.
measures, measure_named = MEASURES.installed, MEASURES.find
