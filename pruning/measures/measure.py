"""What a measure is: a number of a pruned model beside its accuracy and its bytes.

A measure is one file of this room with a :class:`Measure` in it; a package of anybody's adds one by an entry point in
the group ``primesvt.measures``. It can be a column of tables and reports, an objective of a study, or a hard limit.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of a model, of which less is better.

    Args:
        name: As on the command line: lower case, words joined by hyphens.
        label: Heads its column.
        unit: What it is counted in; empty for a plain count.
        of: Measures a model in evaluation mode; it must leave the model as it was.
        digits: Decimal places worth showing.
    """

    name: str
    label: str
    unit: str
    of: Callable[[nn.Module], float]
    digits: int = 0

    def text(self, value: float) -> str:
        """A value for a person, with its unit."""
        return f"{value:,.{self.digits}f}" + (f" {self.unit}" if self.unit else "")
