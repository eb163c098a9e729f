"""Gaussian process, Optuna's own."""

from optuna.samplers import BaseSampler, GPSampler

from .kind import Problem, SamplerKind
from .reseeded import ReseededSampler


def _make(_problem: Problem, _options: object, seed: int) -> BaseSampler:
    return ReseededSampler(lambda seed: GPSampler(seed=seed, deterministic_objective=True), seed=seed)


GP = SamplerKind(name="gp", summary="Gaussian process", make=_make)
