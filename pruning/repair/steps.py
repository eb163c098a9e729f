"""The repair steps by name: what a name in ``--repair`` means.

Those of PrimeSVT are listed here; a package of anybody's adds one by an entry point in the group ``primesvt.repairs``,
whose value is the step.
"""

from collections.abc import Mapping, Sequence

from primesvt.models import named, plugin

from .least_squares import LeastSquares
from .mean import Mean
from .norm import Norm
from .step import RepairStep

ENTRY_POINTS = "primesvt.repairs"
NO_REPAIR = "none"
STEPS: Mapping[str, RepairStep] = named((Mean(), Norm(), LeastSquares()))


def repair_steps(names: Sequence[str]) -> tuple[RepairStep, ...]:
    """Steps by their names, in this order.

    Raises:
        PrimeSVTError: A name is unknown.
    """
    return tuple(plugin(name, STEPS, ENTRY_POINTS, RepairStep, "repair step") for name in names)


def step_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, as a person gives it; none for ``none``.

    Raises:
        PrimeSVTError: A name is unknown.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names in ((), (NO_REPAIR,)) else tuple(step.name for step in repair_steps(names))
