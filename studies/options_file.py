"""Options of a command in a TOML file: ``--config FILE`` reads it, and results hold the one they were made with.

A file has the options of a command in a table of its name, or, for whatever command is run, above all tables:

    model = "demo"

    [compare]
    samplers = ["prioritized", "sensitivity"]
    max-drop = 3
    embedding = true

A key is a flag without its dashes, or the name of what a command takes without one, such as ``model``. What the command
line says wins.
"""

import json
import re
import tomllib
from argparse import Action
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from primesvt.models import PrimeSVTError, meant

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
# Options that were said, each with its text; None where it has no value.
Spoken = Sequence[tuple[Action, str | None]]


def read_options(file: Path, command: str, commands: Collection[str]) -> dict[str, Any]:
    """The options that a file has for a command, by their keys; those of its table win over those above all tables.

    Args:
        file: The TOML file.
        command: Name of the command.
        commands: Names of all commands.

    Raises:
        PrimeSVTError: It cannot be read, or has a table of no command.
    """
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrimeSVTError(f"Cannot read the options {file}: {error.strerror or error}.") from error
    except ValueError as error:
        raise PrimeSVTError(f"Cannot read the options {file}: it is no TOML ({error}).") from error
    tables = {key: value for key, value in data.items() if isinstance(value, Mapping)}
    for name in tables.keys() - set(commands):
        raise PrimeSVTError(f"{file}: there is no command {name!r}{meant(name, commands) or '.'}")
    flat = {key: value for key, value in data.items() if key not in tables}
    return {key.replace("_", "-"): value for key, value in {**flat, **tables.get(command, {})}.items()}


def words_of(key: str, value: Any, flag: str | None, action: Action) -> list[str]:
    """The words of a command line that say an option.

    Args:
        key: As in the file.
        value: As in the file.
        flag: The flag, with its dashes; None for what has none.
        action: What the parser does with it.

    Raises:
        PrimeSVTError: The option takes no such value.
    """
    if flag is not None and action.nargs == 0:
        if not isinstance(value, bool):
            raise PrimeSVTError(f"{key} is true or false, got {value!r}.")
        return [flag] if value else []
    values = [value] if not isinstance(value, list) else value
    if not all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in values):
        raise PrimeSVTError(f"{key} is a text, a number or a list of these, got {value!r}.")
    texts = [str(each) for each in values]
    if not _may_come_again(action):
        texts = [",".join(texts)]
    return texts if flag is None else [f"{flag}={text}" for text in texts]


def options_text(command: str, said: Spoken, version: str) -> str:
    """The file with which a command can be run again.

    Args:
        command: Name of the command.
        said: Its options in their order, each with its text; None where it has no value.
        version: Of PrimeSVT.
    """
    lines = [f"# primesvt {command} --config FILE does the same again. Made with version {version}.", f"[{command}]"]
    several: dict[str, list[str]] = {}
    single: dict[str, str] = {}
    for action, text in said:
        if _may_come_again(action):
            several.setdefault(_key(action), []).append(_toml(text))
        else:
            single[_key(action)] = _toml(text)
    lines += [f"{key} = {value}" for key, value in single.items()]
    lines += [f"{key} = [{', '.join(values)}]" for key, values in several.items()]
    return "\n".join(lines) + "\n"


def _may_come_again(action: Action) -> bool:
    """Whether a flag is said once for every value; argparse has no public name for such an action."""
    return type(action).__name__ == "_AppendAction"


def _key(action: Action) -> str:
    return _longest(action.option_strings).lstrip("-") or action.dest


def _longest(flags: Iterable[str]) -> str:
    return max(flags, key=len, default="")


def _toml(text: str | None) -> str:
    if text is None:
        return "true"
    return text if _NUMBER.fullmatch(text) else json.dumps(text, ensure_ascii=False)
