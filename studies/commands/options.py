"""Flags of a command from the fields of a settings dataclass, and the settings from what was given.

What a field says is in :mod:`primesvt.models.options`; here it becomes argparse's.
"""

import argparse
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from primesvt.models import PrimeSVTError
from primesvt.models.options import Option, options

_T = TypeVar("_T")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def add_options(
    parser: Any,
    settings: type,
    *,
    only: Collection[str] | None = None,
    defaults: Mapping[str, Any] = _NOTHING,
    unset: Mapping[str, str] = _NOTHING,
    prefix: str = "",
) -> None:
    """Declare a flag for every option of a settings dataclass.

    What is not given is not in what the parser reads: :func:`options_of` takes the class's default then. So one flag
    may serve two classes with different defaults.

    Args:
        parser: A parser, or a group of one.
        settings: The dataclass.
        only: The fields that become flags; all options where it is None.
        defaults: Defaults of this command, by field, where they are not the class's; :func:`options_of` gets them too.
        unset: What a default of None stands for in this command, by field, as the help prints it.
        prefix: Stands before every flag, so that two classes may have fields of one name: ``PREFIX-flag``.
    """
    known = {each.name: each for each in options(settings)}
    for name in known if only is None else [name for name in known if name in only]:
        _add(parser, known[name], defaults.get(name, known[name].default), unset.get(name), prefix)


def options_of(
    args: argparse.Namespace, settings: type[_T], otherwise: Mapping[str, Any] = _NOTHING, *, prefix: str = ""
) -> _T:
    """The settings that a command was given.

    Args:
        args: What the parser read.
        settings: The dataclass.
        otherwise: Fields that are not given, or are no flags; what is not there either is as in the class.
        prefix: As in :func:`add_options`.

    Raises:
        PrimeSVTError: A value is not allowed.
    """
    said = vars(args)
    found = {each.name: _attribute(each, prefix) for each in options(settings)}
    return settings(**{**otherwise, **{name: said[key] for name, key in found.items() if key in said}})


def _add(parser: Any, each: Option, default: Any, unset: str | None, prefix: str) -> None:
    flag = f"--{f'{prefix}-' if prefix else ''}{each.flag}"
    text = _help(each, default, unset)
    common = {"dest": _attribute(each, prefix), "default": argparse.SUPPRESS, "help": text}
    if each.scalar is bool:
        parser.add_argument(flag, action="store_const", const=each.sets, **common)
    else:
        choices = each.said.choices if each.said.choices and not each.many else None
        parser.add_argument(flag, type=reader(each.read), metavar=each.said.metavar, choices=choices, **common)


def _attribute(each: Option, prefix: str) -> str:
    return f"{prefix}_{each.name}" if prefix else each.name


def _help(each: Option, default: Any, unset: str | None) -> str:
    """The help with the default, which a flag has not that is given or not."""
    if unset is None and default not in (None, ()) and each.scalar is not bool:
        unset = ",".join(
            f"{value:g}" if each.scalar is float else str(value) for value in (default if each.many else (default,))
        )
    return (f"{each.said.help} (default: {unset})" if unset is not None else each.said.help).replace("%", "%%")


def reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reader of text as argparse wants it: its error becomes one of the flag."""

    def checked(text: str) -> Any:
        try:
            return read(text)
        except PrimeSVTError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error

    return checked
