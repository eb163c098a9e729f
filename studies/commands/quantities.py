"""Short forms of ``--objectives`` and ``--limit``, by the names that people use."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from primesvt.models import PrimeSVTError
from primesvt.pruning import measure_named

# Of an objective to the measure; None is always one.
OBJECTIVES: Mapping[str, str | None] = {"memory": None, "synops": "synops", "energy": "energy", "latency": "latency"}
# Of a flag to the measure, what its value is called, and what it says.
LIMITS: Mapping[str, tuple[str, str, str]] = {
    "--max-bytes": ("size", "BYTES", "bytes of the pruned model, such as 1.5MB or 800KiB"),
    "--max-synops": ("synops", "N", "synaptic operations for an image, such as 4M"),
    "--max-energy": ("energy", "UJ", "energy of an image's operations, in microjoules, such as 8 or 8uJ"),
    "--max-latency": ("latency", "MS", "predicted milliseconds of an image in ONNX Runtime on a thread, such as 3.5ms"),
}


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
            type=most_of(measure),
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


def most_of(measure: str) -> Callable[[str], tuple[str, float]]:
    """What reads the most that a measure may be, in the measure's own units.

    Args:
        measure: Its name.

    Raises:
        PrimeSVTError: There is no such measure, or another package's cannot be used.
    """
    reads = measure_named(measure).read

    def most(text: str) -> tuple[str, float]:
        try:
            return measure, reads(text)
        except PrimeSVTError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return most
