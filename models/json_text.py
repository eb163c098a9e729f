"""Reading JSON in which no name stands twice: of two values, whoever wrote it meant one, and nobody knows which."""

import json
from pathlib import Path
from typing import Any

from .errors import PrimeSVTError

# So much of a name is repeated, which may come from a file of anybody's.
_SHOWN = 60


def parse_json(text: str | bytes) -> Any:
    """The data of a text in JSON.

    Raises:
        ValueError: It is no JSON, or an object has a name twice.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_no_duplicates)


def read_json(file: Path, problem: str) -> dict[str, Any]:
    """Read a JSON object; ``problem`` is the message, with ``{}`` for the cause.

    Raises:
        PrimeSVTError: The file cannot be read or holds something else.
    """
    try:
        data = parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrimeSVTError(problem.format(error.strerror or error)) from error
    except (ValueError, RecursionError) as error:
        raise PrimeSVTError(problem.format(f"{file.name} is no JSON ({error})")) from error
    if not isinstance(data, dict):
        raise PrimeSVTError(problem.format(f"{file.name} holds no JSON object"))
    return data


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:_SHOWN]!r} is there twice")
    return data
