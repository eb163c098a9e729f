"""What the versions of a model have in common that lack the same residual branches, such as the steps of their pass."""

from collections.abc import Callable
from typing import Generic, TypeVar

from torch import nn

from ..families.registry import config_of

_T = TypeVar("_T")


class OncePerBranches(Generic[_T]):
    """Makes something of a version, once for all that lack the same branches.

    Args:
        make: Makes it of the first of them.
    """

    def __init__(self, make: Callable[[nn.Module], _T]) -> None:
        self._make = make
        self._made: dict[frozenset[str], _T] = {}

    def of(self, version: nn.Module) -> _T:
        """What was made of the first version that lacks the same branches."""
        removed = config_of(version).removed
        if removed not in self._made:
            self._made[removed] = self._make(version)
        return self._made[removed]
