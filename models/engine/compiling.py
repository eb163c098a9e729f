"""When kernels are compiled: the first time that one is called on a machine; later processes load what numba kept."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event
from numba.core.dispatcher import Dispatcher

from ..layers.kernels import Use

# Of all that PrimeSVT compiles: primesvt.models.
_PACKAGE = __name__.rpartition(".engine.")[0]


@contextmanager
def compilations(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Tell of every kernel that is compiled meanwhile; nothing is told of those that numba has kept.

    Args:
        tell: Called before one is compiled, with its number among those compiled so far, from 1 on, and how many its
            kind of work needs.
    """
    with event.install_listener("numba:compile", _Listener(tell)):
        yield


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell = tell
        self._done: dict[Use, int] = {}

    def on_start(self, event: event.Event) -> None:
        use: Use | None = getattr(event.data["dispatcher"], "use", None)
        if use is not None:
            done = self._done[use] = self._done.get(use, 0) + 1
            # Of some other kinds of arrays, a kernel is compiled once more.
            self._tell(done, max(done, needed(use)))

    def on_end(self, event: event.Event) -> None:
        pass


def needed(use: Use) -> int:
    """How many kernels a use needs: those that are machine code of their own, and not written into others."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(f"{_PACKAGE}.")]
    # Some are imported into other files, too.
    kernels = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    own = [kernel for kernel in kernels if kernel.targetoptions.get("inline") != "always"]
    return sum(getattr(kernel, "use", None) == use for kernel in own)
