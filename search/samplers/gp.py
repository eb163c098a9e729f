"""Gaussian process, Optuna's own."""

from dataclasses import dataclass

from optuna.samplers import BaseSampler, GPSampler

from primesvt.models.options import option

from .kind import SPACES, Problem, SamplerKind
from .redraw import DrawOptions, Redraw
from .reseeded import ReseededSampler


@dataclass(frozen=True, kw_only=True)
class GPOptions(DrawOptions):
    """Options of the Gaussian process: a draw takes it some seconds."""

    redraws: int = option(2, help="as of random", metavar="N", least=0, most=10_000)


def _make(problem: Problem, options: GPOptions, seed: int) -> BaseSampler:
    redraw = Redraw(problem, options.redraws)
    return ReseededSampler(lambda seed: GPSampler(seed=seed, deterministic_objective=True), seed=seed, redraw=redraw)


GP = SamplerKind(
    name="gp", summary="Gaussian process", make=_make, options=GPOptions, spaces=SPACES, earlier={"redraws": 0}
)
