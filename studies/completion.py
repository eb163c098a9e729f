"""Completion of the command line in a shell: ``primesvt --print-completion bash``, a script that the shell reads."""

import argparse
from collections.abc import Sequence
from typing import Any

from primesvt.models import PrimeSVTError

from .parser import CommandParser
from .running.console import out

SHELLS = ("bash", "zsh")
# What stands for a value in the help says whether a file or a directory is meant; a MODEL is one, too.
_FILES, _DIRECTORIES = frozenset(("FILE", "PATH")), frozenset(("DIR", "MODEL"))


class PrintCompletion(argparse.Action):
    """Prints the script for a shell, and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 - argparse's signature
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        """Print it.

        Raises:
            PrimeSVTError: Its package is not installed.
        """
        out(script(parser, str(values)))
        parser.exit()


def add_print_completion(parser: argparse.ArgumentParser) -> None:
    """Declare --print-completion."""
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        help="print a script that lets a shell complete commands and options, as in "
        'eval "$(primesvt --print-completion bash)"',
    )


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for a shell.

    Args:
        parser: Of the whole command line.
        shell: One of :data:`SHELLS`.

    Raises:
        PrimeSVTError: shtab is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise PrimeSVTError("shtab is not installed: python -m pip install 'primesvt[completion]'") from error
    for each in _parsers(parser):
        for action in each._actions:
            if action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar in _DIRECTORIES:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of its commands, with all of their options."""
    choices = [action.choices.values() for action in parser._actions if isinstance(action.choices, dict)]
    commands = [each for several in choices for each in several if isinstance(each, CommandParser)]
    for command in commands:
        command.complete()
    return [parser, *commands]
