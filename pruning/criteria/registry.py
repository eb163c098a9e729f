"""The criteria by name."""

from primesvt.models import Registry

from .activity import ACTIVITY
from .bn_scale import BN_SCALE
from .criterion import Criterion
from .l1 import L1
from .l2 import L2
from .obs import OBS
from .random import RANDOM
from .taylor import TAYLOR

CRITERIA: Registry[Criterion] = Registry(
    "criterion", "primesvt.criteria", Criterion, (L2, L1, BN_SCALE, RANDOM, ACTIVITY, OBS, TAYLOR)
)
# Every installed one by name, and the one of a name, of whatever package.
criteria, criterion = CRITERIA.installed, CRITERIA.find
