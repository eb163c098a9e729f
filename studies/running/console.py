"""What is said to a person meanwhile: lines on the error stream, so that results on the output stream stay clean."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

console = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """A line for the person, on the error stream."""
    console.print(text, soft_wrap=True, markup=False)


def warn(text: str) -> None:
    """A line for the person that no quiet call hides: there it is a warning of Python's."""
    if console.quiet:
        warnings.warn(text, stacklevel=2)
    else:
        say(text)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """What PrimeSVT warns of is a line; in others' words where and why the code warns is a part of what is said."""
    with warnings.catch_warnings():
        # Optuna's ExperimentalWarning, whose class is not imported here.
        warnings.filterwarnings("ignore", r".* experimental .*The interface can change in the future")
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        yield


def _show_warning(others: Callable[..., None], message: Warning | str, category: Any, file: str, *more: Any) -> None:
    if Path(file).is_relative_to(Path(__file__).parents[2]):
        say(f"primesvt: {message}")
    else:
        others(message, category, file, *more)


def out(text: str) -> None:
    """A result, on the output stream."""
    sys.stdout.write(text + "\n")


def tell_of_kernel(number: int, needed: int) -> None:
    """That a kernel is compiled, for :func:`primesvt.models.layers.compiling.compilations`."""
    begins = "The first use on a machine compiles kernels, about half a minute, once: " if number == 1 else "  "
    say(f"{begins}kernel {number} of at most {needed}")


def duration(seconds: float) -> str:
    """A time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
