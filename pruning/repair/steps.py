"""The repair steps by name: what a name in ``--repair`` means.

Those of PrimeSVT are listed here; a package of anybody's adds one by an entry point in the group ``primesvt.repairs``,
whose value is the step.
"""

from collections.abc import Sequence

from primesvt.models import Registry

from .least_squares import LeastSquares
from .mean import Mean
from .norm import Norm
from .step import RepairStep

NO_REPAIR = "none"
STEPS: Registry[RepairStep] = Registry("repair step", "primesvt.repairs", RepairStep, (Mean(), Norm(), LeastSquares()))


def repair_steps(names: Sequence[str]) -> tuple[RepairStep, ...]:
    """Steps by their names, in this order.

    Raises:
        PrimeSVTError: A name is unknown.
    """
    return tuple(map(STEPS.find, names))


def step_names(text: str) -> tuple[str, ...]:
    """The names of a comma-separated list, as a person gives it; none for ``none``.

    Raises:
        PrimeSVTError: A name is unknown.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names in ((), (NO_REPAIR,)) else tuple(step.name for step in repair_steps(names))
