"""The command ``primesvt``."""

import argparse
import ctypes
import os
import sys
import warnings
from collections.abc import Sequence

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from primesvt.models import PrimeSVTError
from primesvt.models.engine.compiling import compilations

from .commands import (
    compare,
    dashboard,
    demo,
    evaluate,
    export,
    finetune,
    import_,
    layers,
    measure,
    proxy,
    prune,
    push,
    repair,
    robustness,
    search,
    train,
)
from .completion import add_print_completion
from .doubts import doubts
from .exit_codes import BAD_INPUT, INTERRUPTED
from .parser import CommandParser, ExplainingParser
from .reporting.provenance import package_version
from .running.progress import say, tell_of_kernel

COMMANDS = (
    import_,
    layers,
    robustness,
    search,
    compare,
    prune,
    repair,
    finetune,
    export,
    push,
    evaluate,
    measure,
    train,
    dashboard,
    proxy,
    demo,
)
NAMES = tuple(command.__name__.rpartition(".")[2].rstrip("_") for command in COMMANDS)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = ExplainingParser(
        prog="primesvt",
        description="Make a pre-trained spiking vision transformer small enough for its device: remove whole channels, "
        "keep hard limits on accuracy and memory, and prove the choice in Optuna studies.",
        epilog="Start with 'primesvt demo -o demo-result', then 'primesvt COMMAND --help'.",
    )
    parser.add_argument("--version", action="version", version=f"primesvt {package_version('primesvt')}")
    add_print_completion(parser)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=CommandParser)
    for name, command in zip(NAMES, COMMANDS, strict=True):
        text = (command.__doc__ or "").strip()
        own = subparsers.add_parser(name, help=text.splitlines()[0], description=text)
        command.add_arguments(own)
        own.add_config()
        own.commands = NAMES
        own.set_defaults(run=command.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: see :mod:`primesvt.studies.exit_codes`, 0 where all went well."""
    told = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args = make_parser().parse_args(told, argparse.Namespace(command_line=("primesvt", *told)))
    except PrimeSVTError as error:
        say(f"primesvt: {error}")
        return BAD_INPUT
    warnings.simplefilter("ignore", ExperimentalWarning)
    _keep_freed_memory()
    for doubt in doubts(args):
        say(doubt)
    try:
        with compilations(tell_of_kernel):
            code: int = args.run(args) or 0
        sys.stdout.flush()
    except PrimeSVTError as error:
        say(f"primesvt: {error}")
        return BAD_INPUT
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain about it when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        say(f"primesvt: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return BAD_INPUT
    except (SQLAlchemyError, StorageInternalError) as error:
        say(f"primesvt: the storage failed: {str(error).splitlines()[0]}")
        return BAD_INPUT
    except KeyboardInterrupt:
        say("primesvt: interrupted")
        return INTERRUPTED
    return code


def _keep_freed_memory() -> None:
    """Let glibc reuse the memory of activations instead of returning it to the system after every layer.

    Fetching it anew costs page faults: measured on two cores, inference of the demo model with batches of 256 became
    1.4 times as fast. Other C libraries have no such setting and need none.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    mallopt(mmap_threshold, 32 * 2**20)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 256 * 2**20)
