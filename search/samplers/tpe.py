"""tree-structured Parzen estimator, Optuna's own."""

from optuna.samplers import BaseSampler, TPESampler

from .kind import Problem, SamplerKind
from .reseeded import ReseededSampler


def _make(_problem: Problem, _options: object, seed: int) -> BaseSampler:
    return ReseededSampler(lambda seed: TPESampler(seed=seed, multivariate=True), seed=seed)


TPE = SamplerKind(name="tpe", summary="tree-structured Parzen estimator", make=_make)
