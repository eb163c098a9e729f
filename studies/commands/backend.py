"""What plans are measured with: the device, the precision, and the memory for what they have in common."""

import argparse
from typing import Any

from primesvt.models import Backend
from primesvt.search import DEFAULT_CACHE

from ..running.settings import StudySettings
from ..running.side_by_side import MOST
from .arguments import MIB, cache_size, device, positive
from .options import add_options


def add_backend(parser: Any, what: str) -> None:
    """--device and --precision, for what PrimeSVT's engine does where neither is said."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        type=device,
        help=f"where plans are {what}: cuda (the first one), cuda:N, auto, that is cuda where there is one, or cpu, "
        "that is PyTorch on the CPU, slower, in its own order of adding up (default: the engine of the CPU)",
    )
    add_options(parser, StudySettings, only=("precision",))


def backend_of(args: argparse.Namespace) -> Backend:
    """Where the options want models to be asked.

    Raises:
        PrimeSVTError: There is no such device.
    """
    # Alone: what else is wrong with the options is said by who reads them.
    return Backend.named(args.device, vars(args).get("precision", StudySettings.precision))


def add_cache(parser: Any) -> None:
    """--cache."""
    parser.add_argument(
        "--cache",
        metavar="MIB",
        type=cache_size,
        default=DEFAULT_CACHE,
        help="memory for activations that plans have in common, so that none is computed twice; 0 for none, and every "
        f"plan is asked from the images on (default: {DEFAULT_CACHE // MIB})",
    )


def add_processes(parser: Any) -> None:
    """--processes."""
    parser.add_argument(
        "--processes",
        metavar="N",
        type=positive,
        help="run so many studies at a time, each in a process of its own, with a share of the threads and of --cache; "
        f"their trials stay the same (default: one per core, {MOST} at most, and fewer where memory is short; one on a "
        "GPU, or where a table of latencies is to be measured)",
    )
