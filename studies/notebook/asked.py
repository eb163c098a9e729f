"""From what a call says by name to what a command reads: the same options, checks and defaults.

The keyword arguments of a call are read as a file of options is (:mod:`primesvt.studies.options_file`): they become the
words of a command line, and its parser reads them. So a call takes every option of its command, and there is nothing
that is said twice.
"""

import argparse
import inspect
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NoReturn, TypeVar

import numpy as np

from primesvt.models import PrimeSVTError, meant

from ..cli import NAMES
from ..doubts import doubts
from ..options_file import words_of
from ..parser import FILE, CommandParser

_F = TypeVar("_F", bound=Callable[..., Any])
# What a call says in its own way, or has no use for.
_OWN = ("help", "json", "processes")


class _CallParser(CommandParser):
    """A command's parser that raises what a command line would print."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and what was meant."""
        raise PrimeSVTError(f"{self.prog}: {self.explained(message)}")


def asked(
    command: ModuleType, said: Mapping[str, Any], otherwise: Mapping[str, Any] = MappingProxyType({})
) -> argparse.Namespace:
    """What a command would read.

    Args:
        command: Its module.
        said: Options by name, as the command line has them, with ``_`` for ``-``; what is None is not said.
        otherwise: What is said where neither that nor a file of options says it.

    Raises:
        PrimeSVTError: There is no such option, or it takes no such value.
    """
    parser = _parser(command)
    known = {**_former(parser), **_by_name(parser)}
    words: list[str] = []
    for name, value in said.items():
        if name not in known:
            guess = meant(name, known) or f". It has {', '.join(sorted(_by_name(parser)))}."
            raise PrimeSVTError(f"{parser.prog} has no option {name!r}{guess}")
        if value is not None:
            words += _words(name, value, _switch(parser, name, value, known[name]))
    namespace = argparse.Namespace(command_line=(*parser.prog.split(), *words))
    found: argparse.Namespace = parser.parse_args(words, namespace)
    if missing := {name: value for name, value in otherwise.items() if getattr(found, name) is None}:
        return asked(command, {**said, **missing})
    for doubt in doubts(found):
        warnings.warn(doubt, stacklevel=3)
    return found


def takes_options(command: ModuleType) -> Callable[[_F], _F]:
    """Show the options of a command in the signature and the help of a function that takes them by name."""

    def shown(function: _F) -> _F:
        actions = {action.dest: action for action in _by_name(_parser(command)).values()}
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        more = [action for dest, action in actions.items() if dest not in {*signature.parameters, FILE}]
        parameters = [inspect.Parameter(a.dest, inspect.Parameter.KEYWORD_ONLY, default=_default(a)) for a in more]
        lines = [f"    {action.dest}: {_help(action)}" for action in more]
        function.__signature__ = signature.replace(parameters=[*own, *parameters])  # type: ignore[attr-defined]
        function.__doc__ = f"{inspect.getdoc(function)}\n\nOptions:\n" + "\n".join(lines) + "\n"
        return function

    return shown


def _parser(command: ModuleType) -> _CallParser:
    parser = _CallParser(prog=f"primesvt {command.__name__.rpartition('.')[2].rstrip('_')}")
    command.add_arguments(parser)
    parser.add_config()
    # A file may have tables of other commands, too.
    parser.commands = NAMES
    for action in parser._actions:
        # A model may be given as it is, and a result and its trials may stay in memory.
        action.required = False
        if action.dest == "storage":
            action.default = None
    return parser


def _by_name(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Every option that the help shows, by its flag and by the name of its value."""
    shown = [each for each in parser._actions if each.help != argparse.SUPPRESS and each.dest not in _OWN]
    flags = {flag[2:].replace("-", "_"): each for each in shown for flag in each.option_strings if flag[:2] == "--"}
    # Of flags that share a value, the first is the general one: the others are short for some of its values.
    return {**{each.dest: each for each in reversed(shown)}, **flags}


def _former(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Flags that go on to be read under a former name, which no help shows."""
    hidden = [each for each in parser._actions if each.help == argparse.SUPPRESS]
    return {flag[2:].replace("-", "_"): each for each in hidden for flag in each.option_strings if flag[:2] == "--"}


def _switch(parser: argparse.ArgumentParser, name: str, value: Any, action: argparse.Action) -> argparse.Action:
    """Of two flags that put one value on and off, as `--flip` and `--no-flip`, the one that says a value."""
    if name != action.dest or not isinstance(value, bool):
        return action
    same = (each for each in parser._actions if each.dest == name and each.nargs == 0 and each.const is value)
    return next(same, action)


def _words(name: str, value: Any, action: argparse.Action) -> list[str]:
    flag = action.option_strings[-1] if action.option_strings else None
    if action.nargs == 0 and isinstance(value, bool):
        # By the name of its value, `flip=False` is --no-flip.
        is_flag = flag == f"--{name.replace('_', '-')}"
        value = value if is_flag else value == action.const
    return words_of(name, _plain(value), flag, action)


def _plain(value: Any) -> Any:
    """A value as a file of options may have it."""
    if isinstance(value, Mapping):
        return [f"{key}={most}" for key, most in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def _default(action: argparse.Action) -> Any:
    """Of the signature; what the command leaves to its settings is ``...``, and the help says it."""
    return ... if action.default == argparse.SUPPRESS else action.default


def _help(action: argparse.Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return " ".join(text.split())
