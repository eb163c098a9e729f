"""Additions by name: PrimeSVT's own, and those of other packages.

A package of anybody's adds a criterion, a repair step, a sampler, a measure or a data format by an entry point whose
value is the addition: an object of the class that the room asks for, with a ``name``.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from typing import Any, Protocol, TypeVar

from .errors import PrimeSVTError
from .suggestion import unknown


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """The name by which it is asked for."""


T = TypeVar("T", bound=Named)


class Registry(Mapping[str, T]):
    """Additions of one kind. As a mapping it holds PrimeSVT's own, by name, in their order.

    Args:
        noun: What to call one in errors, such as ``criterion``.
        group: The group of entry points by which other packages add to it, such as ``primesvt.criteria``.
        kind: The class that an addition is an object of.
        own: PrimeSVT's own.
    """

    def __init__(self, noun: str, group: str, kind: type[Any], own: Iterable[T]) -> None:
        self.noun, self.group, self.kind = noun, group, kind
        self._own = {addition.name: addition for addition in own}

    def __getitem__(self, name: str) -> T:
        """One of PrimeSVT's own."""
        return self._own[name]

    def __iter__(self) -> Iterator[str]:
        """The names of PrimeSVT's own."""
        return iter(self._own)

    def __len__(self) -> int:
        """How many PrimeSVT has itself."""
        return len(self._own)

    def installed(self) -> Mapping[str, T]:
        """PrimeSVT's own and those of every installed package; of equal names, the own one stays.

        Raises:
            PrimeSVTError: Another package's addition cannot be imported, or is something else.
        """
        known = dict(self._own)
        for label, addition in loaded(self.group, self.noun):
            if not isinstance(addition, self.kind):
                raise PrimeSVTError(f"{label} is a {type(addition).__name__}, expected a {self.kind.__name__}.")
            known.setdefault(addition.name, addition)
        return known

    def find(self, name: str) -> T:
        """An addition by name, of whatever package.

        Raises:
            PrimeSVTError: There is none of that name, or another package's cannot be used.
        """
        # Other packages are looked through only for what is not here.
        known = self if name in self else self.installed()
        if name not in known:
            raise unknown(self.noun, name, known)
        return known[name]


@cache
def _installed(_path: tuple[str, ...]) -> Any:
    """The entry points of all packages on a path: a file of each is read, once."""
    return metadata.entry_points()


def entry_points(group: str) -> metadata.EntryPoints:
    """Those of a group."""
    found: metadata.EntryPoints = _installed(tuple(sys.path)).select(group=group)
    return found


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
