"""What a study may be told before its sampler chooses: plans that are measured as its first trials.

A warm start is another way to search, and is named so wherever results are shown. Every one begins with the unpruned
plan, where the space has it. *uniform*: one ratio in every layer, at a handful of levels that keep the limit of memory.
*probes*: the largest layers alone, at one ratio. *policy*: the plan with which the paper's policy ended; where to find
that is not known here.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna
from optuna.trial import TrialState

from .attributes import START
from .samplers.kind import POLICY_START, PROBES_START, UNIFORM_START, Problem
from .space import SearchSpace
from .workers import is_running

_LEVELS = 5
# No start takes more than this part of a study's trials.
_PART = 0.25
# Where a layer that stands a lot and one that stands little are told apart.
_PROBE = 0.6


def start_plans(
    start: str, problem: Problem, trials: int, policy: Callable[[], Mapping[str, float]]
) -> list[dict[str, float]]:
    """The plans of a start, in their order; none for a study that begins without.

    Args:
        start: Its name.
        problem: Space, limits and bytes.
        trials: How many the study shall have.
        policy: The plan with which the paper's policy ended; asked only where that is the start.
    """
    most = max(1, int(_PART * trials))
    makers: Mapping[str, Callable[[], list[Mapping[str, float]]]] = {
        UNIFORM_START: lambda: _uniform(problem, min(_LEVELS, most)),
        PROBES_START: lambda: _probes(problem.space, most),
        POLICY_START: lambda: [policy()],
    }
    if start not in makers:
        return []
    space = problem.space
    plans = [dict[str, float](), *map(dict, makers[start]())]
    # A budget space lacks the plans that save too little.
    return [plan for plan in plans if space.ratios(space.parameters(plan)) == plan]


def enqueue_next(study: optuna.Study, space: SearchSpace) -> None:
    """Have the next trial try the first plan of the study's start that no trial has tried or tries.

    One at a time, so that a study that was killed tries them in the same order.
    """
    trials = study.get_trials(deepcopy=False)
    if any(trial.state == TrialState.WAITING for trial in trials):
        return
    held = {t.user_attrs.get(START) for t in trials if t.state == TrialState.COMPLETE or is_running(t)}
    for number, plan in enumerate(study.user_attrs.get(START, ())):
        if number not in held:
            study.enqueue_trial(space.parameters(plan), user_attrs={START: number})
            return


def _uniform(problem: Problem, most: int) -> list[Mapping[str, float]]:
    plans = [dict.fromkeys(problem.space.layers, level) for level in problem.space.levels[1:]]
    small: Sequence[Mapping[str, float]] = [plan for plan in plans if problem.meets(plan)] or plans[-1:]
    return [small[at] for at in sorted({round(at) for at in np.linspace(0, len(small) - 1, most)})]


def _probes(space: SearchSpace, most: int) -> list[Mapping[str, float]]:
    level = min(space.levels[1:], key=lambda level: abs(level - _PROBE))
    return [{layer: level} for layer in space.layers[:most]]
