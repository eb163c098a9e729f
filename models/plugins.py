"""Additions of other packages: what is found by name beside PrimeSVT's own.

A package of anybody's adds a criterion, a repair step, a sampler, a measure or a data format by an entry point whose
value is the addition: an object of the class that the room asks for, with a ``name``.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol, TypeVar

from .errors import PrimeSVTError


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The name by which it is asked for."""


T = TypeVar("T", bound=Named)


def named(own: Iterable[T]) -> Mapping[str, T]:
    """Additions by name, in their order."""
    return {addition.name: addition for addition in own}


def with_plugins(own: Mapping[str, T], group: str, kind: type[Any], noun: str) -> Mapping[str, T]:
    """PrimeSVT's own additions of a kind and those of every installed package; of equal names, the own one stays.

    Args:
        own: PrimeSVT's own, by name.
        group: The group of entry points, such as ``primesvt.criteria``.
        kind: The class that an addition is an object of.
        noun: What to call one in errors, such as ``criterion``.

    Raises:
        PrimeSVTError: Another package's addition cannot be imported, or is something else.
    """
    known = dict(own)
    for label, addition in loaded(group, noun):
        if not isinstance(addition, kind):
            raise PrimeSVTError(f"{label} is a {type(addition).__name__}, expected a {kind.__name__}.")
        known.setdefault(addition.name, addition)
    return known


def loaded(group: str, noun: str) -> Iterator[tuple[str, Any]]:
    """What other packages add to a group, each with a label for errors that says where it comes from.

    Raises:
        PrimeSVTError: One cannot be imported.
    """
    for point in entry_points(group=group):
        label = f"The {noun} {point.name} ({point.value})"
        try:
            addition = point.load()
        except Exception as error:
            # Whatever another package raises while it is imported, the user has to know which one it was.
            raise PrimeSVTError(f"{label} cannot be imported: {error}.") from error
        yield label, addition


def plugin(name: str, own: Mapping[str, T], group: str, kind: type[Any], noun: str) -> T:
    """An addition by name.

    Args:
        name: Its name.
        own: As in :func:`with_plugins`, and so are the others.
        group: As there.
        kind: As there.
        noun: As there.

    Raises:
        PrimeSVTError: There is none of that name, or another package's cannot be used.
    """
    # Other packages are looked through only for what is not here.
    known = own if name in own else with_plugins(own, group, kind, noun)
    if name not in known:
        raise PrimeSVTError(f"Unknown {noun} {name!r}; known are {', '.join(known)}.")
    return known[name]
