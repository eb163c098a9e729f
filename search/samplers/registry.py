"""The samplers by name."""

from typing import Any

from optuna.samplers import BaseSampler

from primesvt.models import Registry

from .global_threshold import GLOBAL
from .gp import GP
from .kind import Problem, SamplerKind
from .nsga2 import NSGA2
from .prioritized import PRIORITIZED
from .random import RANDOM
from .sensitivity import SENSITIVITY
from .tpe import TPE
from .uniform import UNIFORM

SAMPLERS: Registry[SamplerKind] = Registry(
    "sampler",
    "primesvt.samplers",
    SamplerKind,
    (PRIORITIZED, SENSITIVITY, UNIFORM, GLOBAL, RANDOM, TPE, NSGA2, GP),
)
# Every installed one by name, and the one of a name, of whatever package.
samplers, sampler_kind = SAMPLERS.installed, SAMPLERS.find


def make_sampler(name: str, problem: Problem, options: Any = None, *, seed: int) -> BaseSampler:
    """A sampler by name.

    Args:
        name: One of :func:`samplers`.
        problem: What it is made for.
        options: An object of its options' class; the defaults where it is None.
        seed: Of every random draw.

    Raises:
        PrimeSVTError: There is no such sampler, or its options do not fit the problem.
    """
    kind = sampler_kind(name)
    return kind.make(problem, kind.options() if options is None else options, seed)
