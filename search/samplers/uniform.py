"""One ratio everywhere: what a plan per layer must be better than."""

from optuna.samplers import BaseSampler

from .kind import Problem, SamplerKind
from .ladder import LadderSampler, ladder_result


def _make(problem: Problem, _options: object, _seed: int) -> BaseSampler:
    space = problem.space
    return LadderSampler(space, [dict.fromkeys(space.layers, level) for level in space.levels], phase="uniform")


UNIFORM = SamplerKind(
    name="uniform",
    summary="one ratio everywhere",
    make=_make,
    deterministic=True,
    trials=lambda problem, _options: len(problem.space.levels) - 1,
    result=ladder_result,
)
