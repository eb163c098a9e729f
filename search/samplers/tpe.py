"""tree-structured Parzen estimator, Optuna's own."""

from dataclasses import dataclass

from optuna.samplers import BaseSampler, TPESampler

from primesvt.models.options import option

from .kind import SPACES, Problem, SamplerKind
from .redraw import DrawOptions, Redraw
from .reseeded import ReseededSampler


@dataclass(frozen=True, kw_only=True)
class TPEOptions(DrawOptions):
    """Options of TPE: a draw takes it some hundredths of a second."""

    redraws: int = option(20, help="as of random", metavar="N", least=0, most=10_000)


def _make(problem: Problem, options: TPEOptions, seed: int) -> BaseSampler:
    redraw = Redraw(problem, options.redraws)
    return ReseededSampler(lambda seed: TPESampler(seed=seed, multivariate=True), seed=seed, redraw=redraw)


TPE = SamplerKind(
    name="tpe",
    summary="tree-structured Parzen estimator",
    make=_make,
    options=TPEOptions,
    spaces=SPACES,
    earlier={"redraws": 0},
)
