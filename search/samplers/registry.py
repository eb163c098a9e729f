"""The samplers by name."""

from collections.abc import Mapping
from typing import Any

from optuna.samplers import BaseSampler

from primesvt.models import named, plugin, with_plugins

from .global_threshold import GLOBAL
from .gp import GP
from .kind import Problem, SamplerKind
from .nsga2 import NSGA2
from .prioritized import PRIORITIZED_POLICY
from .random import RANDOM
from .sensitivity import SENSITIVITY_KIND
from .tpe import TPE
from .uniform import UNIFORM

ENTRY_POINTS = "primesvt.samplers"
SAMPLERS: Mapping[str, SamplerKind] = named(
    (PRIORITIZED_POLICY, SENSITIVITY_KIND, UNIFORM, GLOBAL, RANDOM, TPE, NSGA2, GP)
)


def samplers() -> Mapping[str, SamplerKind]:
    """Every sampler that is installed, by name: PrimeSVT's own, and those of other packages.

    Raises:
        PrimeSVTError: Another package's sampler cannot be used.
    """
    return with_plugins(SAMPLERS, ENTRY_POINTS, SamplerKind, "sampler")


def sampler_kind(name: str) -> SamplerKind:
    """The sampler of a name.

    Raises:
        PrimeSVTError: There is none.
    """
    return plugin(name, SAMPLERS, ENTRY_POINTS, SamplerKind, "sampler")


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
