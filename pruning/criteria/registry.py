"""The criteria by name."""

from collections.abc import Mapping

from primesvt.models import named, plugin, with_plugins

from .activity import ACTIVITY
from .bn_scale import BN_SCALE
from .criterion import Criterion
from .l1 import L1
from .l2 import L2
from .obs import OBS
from .random import RANDOM
from .taylor import TAYLOR

ENTRY_POINTS = "primesvt.criteria"
CRITERIA: Mapping[str, Criterion] = named((L2, L1, BN_SCALE, RANDOM, ACTIVITY, OBS, TAYLOR))


def criteria() -> Mapping[str, Criterion]:
    """Every criterion that is installed, by name: PrimeSVT's own, and those of other packages.

    Raises:
        PrimeSVTError: Another package's criterion cannot be used.
    """
    return with_plugins(CRITERIA, ENTRY_POINTS, Criterion, "criterion")


def criterion(name: str) -> Criterion:
    """The criterion of a name.

    Raises:
        PrimeSVTError: There is none.
    """
    return plugin(name, CRITERIA, ENTRY_POINTS, Criterion, "criterion")
