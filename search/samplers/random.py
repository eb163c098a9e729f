"""uniformly at random, Optuna's own."""

from optuna.samplers import BaseSampler, RandomSampler

from .kind import Problem, SamplerKind
from .reseeded import ReseededSampler


def _make(_problem: Problem, _options: object, seed: int) -> BaseSampler:
    return ReseededSampler(lambda seed: RandomSampler(seed=seed), seed=seed)


RANDOM = SamplerKind(name="random", summary="uniformly at random", make=_make)
