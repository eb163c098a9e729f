"""What the compiled kernels share: numba's options, and the lock that they run under."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from numba import njit

# numba's fallback threading layer aborts the process when two threads enter a kernel at once.
LOCK = threading.Lock()


def compiled(function: Callable[..., Any] | None = None, *, parallel: bool = True, **options: Any) -> Any:
    """Compile a kernel, and keep the machine code for the next process where there is a place to write it.

    Args:
        function: What to compile; where it is None, a decorator is returned.
        parallel: Whether its ``prange`` loops run on all threads: then it is to be called under :data:`LOCK`.
        options: Of numba.
    """
    if function is None:
        return partial(compiled, parallel=parallel, **options)
    options = {"parallel": parallel, "error_model": "numpy", **options}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        return njit(**options)(function)


def contracted(function: Callable[..., None]) -> Any:
    """As :func:`compiled`, where a product that is added to something needs no rounding of its own."""
    return compiled(function, fastmath={"contract"})
