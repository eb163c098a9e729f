"""genetic algorithm NSGA-II, Optuna's own."""

from dataclasses import dataclass, replace

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler
from optuna.trial import FrozenTrial

from primesvt.models.options import option

from ..optuna_private import was_enqueued
from .kind import DEFAULT_TRIALS, SPACES, Problem, SamplerKind
from .redraw import DrawOptions, Redraw
from .reseeded import ReseededSampler

# Its first generation is random: with Optuna's 50, a study of 40 trials would be random search.
_SMALLEST, _LARGEST, _GENERATIONS = 8, 50, 6


@dataclass(frozen=True, kw_only=True)
class NSGA2Options(DrawOptions):
    """Options of NSGA-II."""

    population: int | None = option(
        None,
        help=f"plans of a generation (default: a {_GENERATIONS}th of the trials that the study begins with, "
        f"{_SMALLEST} to {_LARGEST})",
        metavar="N",
        least=2,
        most=10_000,
    )


def _for_trials(options: NSGA2Options, trials: int) -> NSGA2Options:
    if options.population is not None:
        return options
    pairs = round(trials / _GENERATIONS / 2)
    return replace(options, population=min(max(2 * pairs, _SMALLEST), _LARGEST))


class _Population(ReseededSampler):
    """Plans that a study is told belong to its generations, as those do that it draws."""

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Give a trial that was told its plan its generation: the sampler does so only where it draws."""
        super().before_trial(study, trial)
        sampler = self._sampler(study, trial)
        if was_enqueued(trial) and isinstance(sampler, NSGAIISampler):
            sampler.get_trial_generation(study, trial)


def _make(problem: Problem, options: NSGA2Options, seed: int) -> BaseSampler:
    size = _for_trials(options, DEFAULT_TRIALS).population or _LARGEST
    redraw = Redraw(problem, options.redraws)
    return _Population(lambda seed: NSGAIISampler(seed=seed, population_size=size), seed=seed, redraw=redraw)


NSGA2 = SamplerKind(
    name="nsga2",
    summary="genetic algorithm NSGA-II",
    make=_make,
    options=NSGA2Options,
    for_trials=_for_trials,
    spaces=SPACES,
    earlier={"redraws": 0, "population": _LARGEST},
)
