"""What the compiled kernels share: numba's options, the lock that they run under, and what each of them is for."""

import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from numba import njit
from numba.core import event
from numba.core.dispatcher import Dispatcher

from .compiling import Use, compiling
from .kept_code import KeptCode

# numba's fallback threading layer aborts the process when two threads enter a kernel at once.
LOCK = threading.Lock()
# Of all that PrimeSVT compiles: primesvt.models.
_PACKAGE = __name__.rpartition(".layers.")[0]


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
    kernel = njit(**options)(function)
    kernel._cache = KeptCode(kernel)
    kernel.use = use
    return kernel


class _Listener(event.Listener):
    def on_start(self, event: event.Event) -> None:
        use: Use | None = getattr(event.data["dispatcher"], "use", None)
        if use is not None:
            compiling(use, needed(use))

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _Listener())


def needed(use: Use) -> int:
    """How many kernels a use needs: those that are machine code of their own, and not written into others."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(f"{_PACKAGE}.")]
    # Some are imported into other files, too.
    kernels = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    own = [kernel for kernel in kernels if kernel.targetoptions.get("inline") != "always"]
    return sum(getattr(kernel, "use", None) == use for kernel in own)
