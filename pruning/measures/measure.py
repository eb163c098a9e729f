"""What a measure is: a number of a pruned model beside its accuracy and its bytes.

A measure is one file of this room with a :class:`Measure` in it; a package of anybody's adds one by an entry point in
the group ``primesvt.measures``. It can be a column of tables and reports, an objective of a study, or a hard limit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from torch import nn

from primesvt.models import PrimeSVTError, Work

from ..tell import Tell
from .units import COUNTS, Units

# What a trial keeps under names that a measure might have.
RESERVED = frozenset(
    (
        "accuracy", "bytes", "divergence", "evaluation", "images", "interval", "key", "layer", "phase", "ratios",
        "redrawn", "reused", "seconds", "start",
    )
)  # fmt: skip


def _unsaid(_model: nn.Module) -> float:
    raise PrimeSVTError("This measure looks at images or at a table: it says nothing of a model alone.")


@dataclass(frozen=True)
class _Told:
    """Measures a model by what is known of the unpruned one; equal to another that knows the same."""

    told_by: Callable[[Mapping[str, Any]], Callable[[nn.Module], float]]
    table: Mapping[str, Any] = field(hash=False)
    of: Callable[[nn.Module], float] = field(compare=False)

    def __call__(self, model: nn.Module) -> float:
        return self.of(model)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of a model, of which less is better.

    Args:
        name: As on the command line: lower case, words joined by hyphens.
        label: Heads its column.
        unit: What it is counted in; empty for a plain count.
        of: Measures a model in evaluation mode; it must leave the model as it was.
        of_work: Measures what a model did for some images, instead: then it is counted while these are asked for.
        table: What has to be known of the unpruned model first, as plain data for JSON; that takes long. A study keeps
            it, so that its trials are comparable wherever they run.
        told_by: From such data to what measures a model, instead of ``of``.
        digits: Decimal places worth showing.
        units: How people may write a value, such as a limit. If nothing is said, bytes and plain counts as in 1.5M, all
            else alone or with its ``unit``.
        note: What is to be said of a value beside it, for a person, of the model and its work.

    Raises:
        PrimeSVTError: The name is not allowed, or it is not said, or said twice, how it is measured.
    """

    name: str
    label: str
    unit: str
    of: Callable[[nn.Module], float] = _unsaid
    of_work: Callable[[Work], float] | None = None
    table: Callable[[nn.Module, Tell], Mapping[str, Any]] | None = None
    told_by: Callable[[Mapping[str, Any]], Callable[[nn.Module], float]] | None = None
    digits: int = 0
    units: Units | None = None
    note: Callable[[nn.Module, Work], str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name) or self.name in RESERVED:
            raise PrimeSVTError(
                f"A measure cannot be called {self.name!r}: its name is in lower case, words joined by hyphens, and "
                f"none of {', '.join(sorted(RESERVED))}, which every trial has."
            )
        said = (self.of is not _unsaid, self.of_work is not None, self.told_by is not None)
        if sum(said) != 1 or (self.table is None) != (self.told_by is None):
            raise PrimeSVTError(f"The measure {self.name!r} must have one of: of, of_work, table with told_by.")

    @property
    def needs_images(self) -> bool:
        """Whether it measures what a model did for some images."""
        return self.of_work is not None

    @property
    def needs_table(self) -> bool:
        """Whether something has to be known of the unpruned model first: see :meth:`knowing`."""
        return self.told_by is not None

    def knowing(self, table: Mapping[str, Any]) -> Self:
        """The measure with its table: from then on it measures a model alone. Equal where the tables are."""
        if self.told_by is None:
            return self
        return replace(self, of=_Told(self.told_by, table, self.told_by(table)), table=None, told_by=None)

    def value(self, model: nn.Module, work: Work | None) -> float:
        """The number of a model.

        Args:
            model: In evaluation mode.
            work: What it did for some images; None is enough where the measure looks at none.

        Raises:
            PrimeSVTError: It needs the work, and there is none.
        """
        return float(self.of(model) if self.of_work is None or work is None else self.of_work(work))

    def read(self, text: str) -> float:
        """A value, such as a limit, as people write it.

        Raises:
            PrimeSVTError: It is no number above 0, or its unit is not known.
        """
        counted = COUNTS if self.unit in ("", "bytes") else Units({self.unit: 1}, f"3 or 3 {self.unit}")
        return (self.units or counted).read(text)

    def text(self, value: float) -> str:
        """A value for a person, with its unit."""
        return f"{value:,.{self.digits}f}" + (f" {self.unit}" if self.unit else "")

    def noted(self, value: float, model: nn.Module, work: Work) -> str:
        """The same, followed by what is to be said of it."""
        return self.text(value) + ("" if self.note is None else f" ({self.note(model, work)})")
