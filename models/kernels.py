"""What the compiled kernels share: numba's options, and the lock that they run under."""

import threading
from collections.abc import Callable
from typing import Any

from numba import njit

# numba's fallback threading layer aborts the process when two threads enter a kernel at once.
LOCK = threading.Lock()


def compiled(function: Callable[..., None], **options: Any) -> Callable[..., None]:
    """Compile a kernel, and keep the machine code for the next process where there is a place to write it."""
    try:
        kernel: Callable[..., None] = njit(parallel=True, cache=True, error_model="numpy", **options)(function)
    except RuntimeError:
        kernel = njit(parallel=True, error_model="numpy", **options)(function)
    return kernel


def contracted(function: Callable[..., None]) -> Callable[..., None]:
    """As :func:`compiled`, where a product that is added to something needs no rounding of its own."""
    return compiled(function, fastmath={"contract"})
