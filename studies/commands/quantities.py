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
    "--max-energy": ("energy", "UJ", "energy of an image's operations, in microjoules"),
    "--max-latency": ("latency", "MS", "predicted milliseconds of an image in ONNX Runtime on a thread, such as 3.5ms"),
}
_MILLISECONDS = {"s": 1e3, "ms": 1, "us": 1e-3, "µs": 1e-3}
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


def milliseconds(text: str) -> float:
    """A time with or without its unit, such as ``3.5ms`` or ``3500us``; milliseconds where none is said."""
    found = re.fullmatch(r"([0-9.]+)\s*(s|ms|us|µs)?", text.strip().lower())
    try:
        return float(found[1]) * _MILLISECONDS[found[2] or "ms"] if found else float("nan")
    except ValueError:
        return float("nan")


def _most(measure: str) -> Callable[[str], tuple[str, float]]:
    def most(text: str) -> tuple[str, float]:
        value = milliseconds(text) if measure == "latency" else quantity(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"expected a number above 0, such as 1500000 or 1.5M, got {text!r}")
        return measure, value

    return most
