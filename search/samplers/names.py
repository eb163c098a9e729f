"""The samplers that ``--sampler`` knows. All but the first are Optuna's own classes."""

from collections.abc import Callable, Mapping

from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

from primesvt.models import PrimeSVTError

from ..policy import PrioritizedPolicy
from ..space import SearchSpace
from .prioritized import PrioritizedSampler
from .reseeded import ReseededSampler

PRIORITIZED = "prioritized"

_OPTUNA: Mapping[str, Callable[[int], BaseSampler]] = {
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True),
    "nsga2": lambda seed: NSGAIISampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed, deterministic_objective=True),
}

SAMPLERS = (PRIORITIZED, *_OPTUNA)


def make_sampler(name: str, space: SearchSpace, policy: PrioritizedPolicy, *, seed: int) -> BaseSampler:
    """A sampler by name.

    Args:
        name: One of :data:`SAMPLERS`.
        space: What it chooses from.
        policy: Rules of the prioritized sampler; the others do not look at it.
        seed: Of every random draw; the prioritized sampler draws none.

    Raises:
        PrimeSVTError: There is no such sampler.
    """
    if name == PRIORITIZED:
        space.check(policy.rates)
        return PrioritizedSampler(policy, space.distributions, seed=seed)
    if name not in _OPTUNA:
        raise PrimeSVTError(f"Unknown sampler {name!r}; known are {', '.join(SAMPLERS)}.")
    return ReseededSampler(_OPTUNA[name], seed=seed)
