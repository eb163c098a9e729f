"""The measures by name."""

from primesvt.models import Registry

from .inference_state import STATE_BYTES
from .measure import Measure
from .parameters import PARAMETERS

MEASURES: Registry[Measure] = Registry("measure", "primesvt.measures", Measure, (PARAMETERS, STATE_BYTES))
# Every installed one by name, and the one of a name, of whatever package.
measures, measure_named = MEASURES.installed, MEASURES.find
