"""Packages whose public names are imported when they are first asked for (PEP 562): a command loads what it uses alone.

A package names it as imports for the type checker, which are read here once more instead of being written twice:

    if TYPE_CHECKING:
        from .plan import PruningPlan, load_plan

    __all__ = ["PruningPlan", "load_plan"]
    lazily(__name__)

The library lazy_loader has the same idea; it wants a second list of the names in a stub file, and none with ``as``.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def lazily(name: str) -> None:
    """Make the imports that a package has for the type checker alone happen when their names are first asked for.

    Args:
        name: The package, which is being imported.
    """
    package = sys.modules[name]
    vars(package)["_places"] = dict(_imports(package))
    package.__class__ = LazyPackage


class LazyPackage(ModuleType):
    """A package whose names are imported when they are first asked for.

    Some are called as a folder of the package is, such as the function ``criteria``: the name is the function's.
    """

    # Of each name: the file that has it, and its name there.
    _places: Mapping[str, tuple[str, str]]

    def __getattr__(self, name: str) -> Any:
        place, own = vars(self)["_places"].get(name, (None, name))
        if place is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = vars(self)[name] = getattr(import_module(place, self.__name__), own)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        # Python binds a folder to its name in the package, once it is imported.
        if not (name in self._places and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *self._places})


def _imports(package: ModuleType) -> Iterator[tuple[str, tuple[str, str]]]:
    spec = package.__spec__
    source = spec.loader.get_source(spec.name) if spec is not None else None  # type: ignore[union-attr]
    for node in ast.parse(source or "").body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for each in node.body:
                if isinstance(each, ast.ImportFrom):
                    place = "." * each.level + (each.module or "")
                    yield from ((alias.asname or alias.name, (place, alias.name)) for alias in each.names)
