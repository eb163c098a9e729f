"""Tables that this machine measured before, one file each, so that a model is measured once.

They lie where caches lie (:mod:`primesvt.models.cache_folder`). A file is named by all that its numbers depend on: the
machine, ONNX Runtime, PyTorch (which exports), and the structure of the model.
"""

import hashlib
import json
import platform
from contextlib import suppress
from pathlib import Path

import onnxruntime
import torch

from primesvt.models import ModelConfig, PrimeSVTError, whole_file
from primesvt.models.cache_folder import cache_folder
from primesvt.models.export import OPSET

from ..tell import Tell
from .building import build_table
from .table import LatencyTable

# Of what a table says and how it is measured.
_FORMAT = 1
# What of a configuration no operator's time depends on.
_WORDS = frozenset(("classes", "mean", "std", "crop_fraction", "interpolation", "tau", "v_threshold"))


def table_for(config: ModelConfig, on_timed: Tell = lambda _done, _total: None) -> LatencyTable:
    """The table of a structure on this machine; measured where no file holds it, and written into one then.

    Args:
        config: Of the unpruned model.
        on_timed: Called with the number of timings done, and of all, where it is measured.

    Raises:
        PrimeSVTError: The model cannot be exported.
    """
    # A file that cannot be read or written, or has no place at all, costs time, and nothing else.
    with suppress(OSError, ValueError, TypeError, KeyError):
        return LatencyTable.from_json(json.loads(_file(config).read_text()))
    table = build_table(config, machine_name(), on_timed)
    with suppress(OSError, PrimeSVTError):
        file = _file(config)
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as partial:
            partial.write_text(json.dumps(table.to_json()))
    return table


def machine_name() -> str:
    """Where a table is measured, for a person: the processor and ONNX Runtime."""
    return f"{_processor()}, ONNX Runtime {onnxruntime.__version__}"


def _processor() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file(config: ModelConfig) -> Path:
    numbers = {name: value for name, value in config.to_json().items() if name not in _WORDS}
    known = [_FORMAT, machine_name(), platform.node(), torch.__version__, OPSET, config.family, numbers]
    digest = hashlib.sha256(json.dumps([*known, len(config.classes)], sort_keys=True, default=str).encode())
    return cache_folder("latency") / f"{digest.hexdigest()[:24]}.json"
