"""What is said where a name is unknown: what was meant, where one is near, and what there is."""

from collections.abc import Iterable
from difflib import get_close_matches

from .errors import PrimeSVTError

# So much of an unknown name is repeated, which may come from a file of anybody's.
_SHOWN = 60


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one is nearest to, whatever its case; None where none is near."""
    lower = {other.lower(): other for other in known}
    found = get_close_matches(str(name)[:_SHOWN].lower(), lower, 1)
    return lower[found[0]] if found else None


def meant(name: object, known: Iterable[str]) -> str:
    """``; did you mean NAME?``, to end a sentence with; nothing where none is near."""
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {near}?"


def unknown(noun: str, name: object, known: Iterable[str], they: str = "known are") -> PrimeSVTError:
    """The error for a name that is not known.

    Args:
        noun: What it should be the name of, such as ``criterion``.
        name: As it was given.
        known: The names that there are.
        they: What stands before these.
    """
    names = list(known)
    listed = f"{they} {', '.join(names)}."
    guess, shown = meant(name, names), repr(name if not isinstance(name, str) else name[:_SHOWN])
    if guess:
        listed = f"{listed[0].upper()}{listed[1:]}"
    return PrimeSVTError(f"Unknown {noun} {shown}{guess or ';'} {listed}")
