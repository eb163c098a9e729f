"""The command ``primesvt``."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.resources import files

from primesvt.models.errors import PrimeSVTError
from primesvt.models.layers.compiling import compilations

from .completion import add_print_completion
from .doubts import doubts
from .exit_codes import BAD_INPUT, INTERRUPTED
from .parser import CommandParser, ExplainingParser
from .running.console import plain_warnings, say, tell_of_kernel
from .running.failures import explained
from .running.process import keep_freed_memory
from .versions import package_version

# In the order of the help. A command is a file of commands/, which is imported when the command is wanted: PyTorch and
# Optuna take seconds.
NAMES = (
    "import",
    "layers",
    "robustness",
    "search",
    "compare",
    "prune",
    "repair",
    "finetune",
    "export",
    "push",
    "evaluate",
    "measure",
    "train",
    "dashboard",
    "proxy",
    "demo",
)


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
    for name in NAMES:
        text = _docstring(name)
        own = subparsers.add_parser(name, help=text.splitlines()[0], description=text)
        own.commands = NAMES
        own.declare = partial(_declare, name, own)
    return parser


def _file(name: str) -> str:
    """The file of a command, without its ending: ``import`` is a word of Python's own."""
    return f"{name}_" if name == "import" else name


def _docstring(name: str) -> str:
    """What a command's file says of it in its first lines, without running it."""
    source = files("primesvt.studies.commands").joinpath(f"{_file(name)}.py").read_text(encoding="utf-8")
    return source.split('"""', 2)[1].strip()


def _declare(name: str, parser: CommandParser) -> None:
    command = import_module(f".commands.{_file(name)}", __package__)
    command.add_arguments(parser)
    parser.add_config()
    parser.set_defaults(run=command.run)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: see :mod:`primesvt.studies.exit_codes`, 0 where all went well."""
    told = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args = make_parser().parse_args(told, argparse.Namespace(command_line=("primesvt", *told)))
    except PrimeSVTError as error:
        say(f"primesvt: {error}")
        return BAD_INPUT
    with plain_warnings():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    keep_freed_memory()
    for doubt in doubts(args):
        say(doubt)
    try:
        with compilations(tell_of_kernel):
            code: int = args.run(args) or 0
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain about it when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        say("primesvt: interrupted")
        return INTERRUPTED
    except Exception as error:
        text = explained(error)
        if text is None:
            raise
        say(f"primesvt: {text}")
        return BAD_INPUT
    return code
