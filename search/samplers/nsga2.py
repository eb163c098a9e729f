"""genetic algorithm NSGA-II, Optuna's own."""

from optuna.samplers import BaseSampler, NSGAIISampler

from .kind import Problem, SamplerKind
from .reseeded import ReseededSampler


def _make(_problem: Problem, _options: object, seed: int) -> BaseSampler:
    return ReseededSampler(lambda seed: NSGAIISampler(seed=seed), seed=seed)


NSGA2 = SamplerKind(name="nsga2", summary="genetic algorithm NSGA-II", make=_make)
