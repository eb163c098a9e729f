"""Machine code of kernels, kept from one process to the next by what the kernel says, wherever its file lies.

numba's own cache asks for the place of a source file and for all that the file says: every clone and every upgrade
compiles all kernels anew. Here the key is the source of a kernel and of all that it calls and reads, beside what numba
asks for anyway: its version, Python's, the processor, and the types of the arguments. The files lie where caches lie
(:mod:`primesvt.models.cache_folder`); ``NUMBA_CACHE_DIR`` names another place.

numba has no public way to say so; what is used here of :mod:`numba.core.caching` is used in no other file.
"""

import hashlib
import inspect
import os
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from numba.core import caching
from numba.core.dispatcher import Dispatcher

from ..cache_folder import cache_folder

# Of all whose source counts; what numpy and numba say counts by numba's version.
_PACKAGE = __name__.partition(".")[0]


class KeptCode(caching._Cache):
    """numba's cache of a kernel, by its content.

    What it calls may stand below it, or not be imported yet: the content is asked for when the kernel is first called.
    A place that cannot be written is said once; kernels are compiled in every process then.

    Args:
        kernel: numba's, as it was declared.
    """

    def __init__(self, kernel: Dispatcher) -> None:
        self._kernel = kernel

    @cached_property
    def _cache(self) -> caching.FunctionCache:
        return _cache_of(self._kernel.py_func, content(self._kernel))

    @property
    def cache_path(self) -> str | None:
        """Where the files lie, if anywhere."""
        return _path()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Machine code for a signature; None where none is kept."""
        try:
            return self._cache.load_overload(sig, target_context)
        except OSError:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code for a signature."""
        try:
            self._cache.save_overload(sig, data)
        except OSError as error:
            where = f" in {path}" if (path := _path()) else ""
            # From one line, with one text: Python says it once.
            warnings.warn(
                f"Compiled kernels cannot be kept{where}: {error.strerror or error}. Every process compiles them anew; "
                "NUMBA_CACHE_DIR may name a directory that can be written.",
                stacklevel=1,
            )

    def enable(self) -> None:
        """Keep machine code; it is kept from the beginning."""
        self._cache.enable()

    def disable(self) -> None:
        """Keep none."""
        self._cache.disable()

    def flush(self) -> None:
        """Forget what is kept."""
        self._cache.flush()


def folder() -> Path:
    """Where machine code is kept.

    Raises:
        OSError: There is no such place.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named) if named else cache_folder("kernels")


def _path() -> str | None:
    try:
        return str(folder())
    except OSError:
        return None


def content(kernel: Dispatcher) -> str:
    """A hash of all that a kernel's machine code is made from: its source, its options, what it calls and reads."""
    return hashlib.sha256("\0".join(_said(kernel, set())).encode()).hexdigest()


def _said(value: Any, seen: set[int]) -> Iterator[str]:
    """What a value that a kernel names says, each once."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Dispatcher):
        function = value.py_func
        yield inspect.getsource(function)
        yield repr(sorted((name, str(option)) for name, option in value.targetoptions.items()))
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                yield name
                yield from _said(function.__globals__[name], seen)
    elif isinstance(value, ModuleType):
        if value.__name__.startswith(f"{_PACKAGE}."):
            yield inspect.getsource(value)
    elif callable(value):
        # Such as an intrinsic, which is made of what stands around it.
        yield from _said(inspect.getmodule(value), seen)
    else:
        yield repr(value)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _cache_of(function: Callable[..., Any], key: str) -> caching.FunctionCache:
    """Numba's cache of a function, whose files lie in :func:`folder`, named by a key."""

    class Place(caching._CacheLocator):
        _py_file = inspect.getfile(function)

        def get_cache_path(self) -> str:
            return str(folder())

        def get_source_stamp(self) -> str:
            return key

        def get_disambiguator(self) -> str:
            return key[:16]

        @classmethod
        def from_function(cls, _function: Any, _file: str) -> "Place":
            return cls()

    class Kind(caching.CompileResultCacheImpl):
        _locator_classes = [Place]  # type: ignore[list-item]  # noqa: RUF012 - as numba declares it

    class Kept(caching.FunctionCache):
        _impl_class = Kind

    return Kept(function)  # type: ignore[no-untyped-call]
