"""When kernels are compiled: the first time that one is called on a machine; later processes load what numba kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from numba.core import event
from numba.core.dispatcher import Dispatcher

from ..layers import neuron, sparse_conv
from . import spike_conv, spike_ops


def _kernels(module: ModuleType) -> set[str]:
    """Names of a module's kernels that are machine code of their own, and not written into others."""
    every = [value for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {_name(each) for each in every if each.targetoptions.get("inline") != "always"}


def _name(kernel: Any) -> str:
    return f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}"


# What a model needs to answer, and what it needs beside to learn.
_LEARNING = frozenset(_kernels(sparse_conv)) | {_name(neuron._differentiate)}
_ANSWERING = frozenset().union(*map(_kernels, (spike_conv, spike_ops, neuron))) - _LEARNING


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
        self._done: dict[frozenset[str], int] = {}

    def on_start(self, event: event.Event) -> None:
        name = _name(event.data["dispatcher"])
        for kernels in (_ANSWERING, _LEARNING):
            if name in kernels:
                done = self._done[kernels] = self._done.get(kernels, 0) + 1
                # Of some other kinds of arrays, a kernel is compiled once more.
                self._tell(done, max(done, len(kernels)))

    def on_end(self, event: event.Event) -> None:
        pass
