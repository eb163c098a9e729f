"""One ratio everywhere: what a plan per layer must be better than."""

from .kind import Problem
from .ladder import ladder_kind


def _plans(problem: Problem) -> list[dict[str, float]]:
    return [dict.fromkeys(problem.space.layers, level) for level in problem.space.levels]


UNIFORM = ladder_kind("uniform", "one ratio everywhere", _plans)
