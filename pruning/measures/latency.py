"""Milliseconds of one image in ONNX Runtime on one thread of the CPU, told from a table of this model's operators.

The table is measured once a machine and structure, see :mod:`primesvt.pruning.latency`; a study keeps the one that it
began with. Plans that are reported can be exported and timed themselves (``primesvt compare --latency``).
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from primesvt.models import config_of
from primesvt.models.export import require

from .. import latency
from ..tell import Tell
from .measure import Measure
from .units import Units


def _table(model: nn.Module, tell: Tell) -> Mapping[str, Any]:
    require("onnx", "onnxscript", "onnxruntime")
    return latency.table_for(config_of(model), tell).to_json()


def _told_by(data: Mapping[str, Any]) -> Callable[[nn.Module], float]:
    table = latency.LatencyTable.from_json(data)
    return lambda model: table.milliseconds(config_of(model).widths)


UNITS = Units({"s": 1e3, "ms": 1, "us": 1e-3, "µs": 1e-3}, "3.5 or 3.5ms")
LATENCY = Measure(
    name="latency", label="latency, predicted", unit="ms", table=_table, told_by=_told_by, digits=3, units=UNITS
)
