"""Compiling a function with numba, and keeping its machine code for the next process where there is a place for it."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            kernel: Callable[..., Any] = njit(error_model="numpy", cache=True, **options)(function)
        except RuntimeError:  # nowhere to write to
            kernel = njit(error_model="numpy", **options)(function)
        return kernel

    return decorate
