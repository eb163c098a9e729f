"""Short forms of ``--objectives`` and ``--limit``, by the names that people use."""

import argparse
import re
from collections.abc import Callable, Mapping
from typing import Any

# Of an objective to the measure; None is always one.
OBJECTIVES: Mapping[str, str | None] = {"memory": None, "synops": "synops", "energy": "energy", "latency": "latency"}
# Of a flag to the measure, what its value is called, and what it says.
LIMITS: Mapping[str, tuple[str, str, str]] = {
    "--max-bytes": ("size", "BYTES", "bytes of the pruned model, such as 1.5MB or 800KiB"),
    "--max-synops": ("synops", "N", "synaptic operations for an image, such as 4M"),
    "--max-energy": ("energy", "UJ", "energy of an image's operations, in microjoules, such as 8 or 8uJ"),
    "--max-latency": ("latency", "MS", "predicted milliseconds of an image in ONNX Runtime on a thread, such as 3.5ms"),
}
# Units of what is no count, by measure; the one that its numbers are in is 1.
_OWN_UNITS: Mapping[str, Mapping[str, float]] = {
    "latency": {"s": 1e3, "ms": 1, "us": 1e-3, "µs": 1e-3},
    "energy": {"j": 1e6, "mj": 1e3, "uj": 1, "µj": 1, "nj": 1e-3},
}
# What a value may look like; of other measures, 1500000 or 1.5M.
_EXAMPLES = {"latency": "3.5 or 3.5ms", "energy": "8 or 8uJ"}
_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def add_quantities(objectives: Any, limits: Any) -> None:
    """Declare the short forms.

    Args:
        objectives: Parser, or group of one, of the objectives.
        limits: The same of the limits.
    """
    for flag, (measure, metavar, text) in LIMITS.items():
        limits.add_argument(
            flag,
            metavar=metavar,
            dest="limits",
            action="append",
            type=_most(measure),
            help=f"the most {text}: short for --limit {measure}={metavar}",
        )
    objectives.add_argument(
        "--objective",
        dest="named_objectives",
        action="append",
        choices=tuple(OBJECTIVES),
        default=[],
        help="what to optimize beside accuracy and memory, which always are; may be given several times, short for "
        "--objectives",
    )


def objectives_of(args: argparse.Namespace) -> tuple[str, ...]:
    """All measures that the options name as objectives, each once."""
    named = [OBJECTIVES[name] for name in args.named_objectives]
    return tuple(dict.fromkeys([*getattr(args, "objectives", ()), *(name for name in named if name is not None)]))


def quantity(text: str) -> float:
    """A number with a unit of bytes or thousands, such as ``1.5MB``, ``800KiB`` or ``4M``."""
    found = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?)\s*([kmg]i?)?b?", text.strip().lower())
    try:
        return float(found[1]) * _UNITS[found[2] or ""] if found else float("nan")
    except ValueError:
        return float("nan")


def in_units(text: str, units: Mapping[str, float]) -> float:
    """A number with or without one of some units, such as ``3.5ms`` or ``8uJ``."""
    # The sign for "micro" has two codes: of its own, and as the Greek letter.
    found = re.fullmatch(r"([0-9.]+(?:e-?[0-9]+)?)\s*([a-zµ]*)", text.strip().lower().replace("\u03bc", "µ"))
    try:
        return float(found[1]) * units.get(found[2], float("nan")) if found else float("nan")
    except ValueError:
        return float("nan")


def _most(measure: str) -> Callable[[str], tuple[str, float]]:
    def most(text: str) -> tuple[str, float]:
        own = _OWN_UNITS.get(measure)
        value = quantity(text) if own is None else in_units(text, {"": 1.0, **own})
        if not 0 < value < float("inf"):
            example = _EXAMPLES.get(measure, "1500000 or 1.5M")
            raise argparse.ArgumentTypeError(f"expected a number above 0, such as {example}, got {text!r}")
        return measure, value

    return most
