"""uniformly at random, Optuna's own."""

from optuna.samplers import BaseSampler, RandomSampler

from .kind import SPACES, Problem, SamplerKind
from .redraw import DrawOptions, Redraw
from .reseeded import ReseededSampler


def _make(problem: Problem, options: DrawOptions, seed: int) -> BaseSampler:
    redraw = Redraw(problem, options.redraws)
    return ReseededSampler(lambda seed: RandomSampler(seed=seed), seed=seed, redraw=redraw)


RANDOM = SamplerKind(
    name="random", summary="uniformly at random", make=_make, options=DrawOptions, spaces=SPACES, earlier={"redraws": 0}
)
