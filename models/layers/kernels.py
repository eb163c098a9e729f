"""What the compiled kernels share: numba's options, the lock that they run under, and what each of them is for."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from numba import njit

# numba's fallback threading layer aborts the process when two threads enter a kernel at once.
LOCK = threading.Lock()
# What a model needs a kernel for: to answer, to learn beside that, or to have its work counted.
Use = Literal["answering", "learning", "counting"]


def compiled(
    function: Callable[..., Any] | None = None, *, use: Use = "answering", parallel: bool = True, **options: Any
) -> Any:
    """Compile a kernel, and keep the machine code for the next process where there is a place to write it.

    Args:
        function: What to compile; where it is None, a decorator is returned.
        use: What it is for, which the kernel keeps as its attribute ``use``.
        parallel: Whether its ``prange`` loops run on all threads: then it is to be called under :data:`LOCK`.
        options: Of numba.
    """
    if function is None:
        return partial(compiled, use=use, parallel=parallel, **options)
    options = {"parallel": parallel, "error_model": "numpy", **options}
    try:
        kernel = njit(cache=True, **options)(function)
    except RuntimeError:
        kernel = njit(**options)(function)
    kernel.use = use
    return kernel
