"""When kernels are compiled: the first time that one is called on a machine; later processes load what was kept.

Nothing here needs numba, which takes half a second to import: who listens may never use a kernel.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

# What a model needs a kernel for: to answer, to learn beside that, or to have its work counted.
Use = Literal["answering", "learning", "counting"]
# Who listens; compiling is the process's, whatever thread it happens in.
_listeners: list[Callable[[Use, int], None]] = []


@contextmanager
def compilations(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Tell of every kernel that is compiled meanwhile; nothing is told of those that were kept.

    Args:
        tell: Called before one is compiled, with its number among those compiled so far, from 1 on, and how many its
            kind of work needs at most.
    """
    done: dict[Use, int] = {}

    def count(use: Use, needed: int) -> None:
        done[use] = done.get(use, 0) + 1
        # Of some other kinds of arrays, a kernel is compiled once more.
        tell(done[use], max(done[use], needed))

    _listeners.append(count)
    try:
        yield
    finally:
        _listeners.remove(count)


def compiling(use: Use, needed: int) -> None:
    """Say that a kernel is about to be compiled.

    Args:
        use: What it is for.
        needed: How many kernels that use needs.
    """
    for listener in _listeners:
        listener(use, needed)
