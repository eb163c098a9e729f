"""Our own sampler: it learns how sensitive every layer is from all plans measured, and allocates what may be lost.

Bytes are known, so only accuracy has to be learned. After every trial a model of the layers' errors
(:mod:`primesvt.search.error_model`) is fitted to all trials; for any curves of errors the best plan is computed
(:mod:`primesvt.search.allocation`). What a trial tries depends on its place in the study:

* *reach*, while no plan keeps the limits of memory and accuracy: the plan that meets the memory target at the least
  error, by the most probable curves and by drawn ones in turn;
* *best*: the smallest plan that keeps the limit of accuracy by the most probable curves;
* *explore*: the same by curves drawn from what is still thinkable (Thompson sampling, W. R. Thompson, 1933): layers
  that might stand much are tried, together, and the next fit tells which did;
* *front*: the smallest plan within a part of the limit: a Pareto front has points below it.

Where the space has residual branches, each is one more layer to the model, which is there or gone: a plan that removes
it has its error, and not those of its layers.

No plan that misses the memory target, or another limit that needs no image, is asked, none is asked twice, and no layer
is measured alone. The sampler keeps nothing on itself: all follows from the study's finished trials and the trial's
place, so a study that was killed goes on as if it had not been, and of several workers each takes another one.

Sources: allocation by errors that are learned: E. Frantar and D. Alistarh, *SPDY*, arXiv:2201.13096; levels that move
from layer to layer at a constant size: O. Sieberling et al., *EvoPress*, arXiv:2410.14649. Ours: the errors come from
joint plans, by a model with uncertainty, where both begin with every layer alone.

Tried, and left out, as it did not pay: what the curves leave out near measured plans, interpolated by a Gaussian
process, in the allocation. It halved the error of predicted divergences late in recorded studies, and found no better
plans in the same trials (the demo model, a Spikformer and a QKFormer with repair, one seed, 31 to 44 trials).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from ..allocation import Allocation, Curves
from ..attributes import DIVERGENCE, PHASE
from ..constraints import ACCURACY_DROP, MEMORY_SAVING
from ..error_model import ErrorModel, Observation
from ..places import place_of
from ..policy import Ratios, ratios
from ..workers import is_running
from .kind import Problem, SamplerKind
from .plan_sampler import PlanSampler, Proposal


@dataclass(frozen=True)
class _Aim:
    """What a trial at some place does.

    Args:
        phase: As in the module's documentation.
        part: Of the limit of accuracy that the plan may use.
        spread: Of the curves drawn, in standard deviations; 0 takes the most probable.
    """

    phase: str
    part: float = 1.0
    spread: float = 0.0


_REACH = (_Aim("reach"), _Aim("reach", spread=0.5), _Aim("reach"), _Aim("reach", spread=1.0))
_SEARCH = (
    _Aim("best"),
    _Aim("explore", spread=1.0),
    _Aim("front", part=0.8),
    _Aim("explore", spread=0.3),
    _Aim("best"),
    _Aim("explore", spread=0.5),
    _Aim("front", part=0.4),
    _Aim("explore", spread=0.3),
)
# A plan that is known to miss a limit is made smaller to these parts of its bytes, one after the other.
_SHARES = tuple(round(1 - 0.05 * at, 9) for at in range(20))


class SensitivitySampler(PlanSampler):
    """Proposes the plan that all measured plans say is best, and now and then one that might be better.

    Args:
        problem: Space, limits and bytes.
        seed: Of every random draw.
    """

    key = "SensitivitySampler:ratios"

    def __init__(self, problem: Problem, *, seed: int) -> None:
        super().__init__(problem.space.layers, problem.space.distributions, seed=seed)
        self._problem = problem
        self._space = problem.space
        self._levels = problem.space.levels
        self._limit = problem.constraints.max_drop - problem.constraints.margin
        self._seed = seed

    def propose(self, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Proposal:
        """The next plan."""
        measured = sorted(filter(_says_something, others), key=lambda t: (place_of(t), t.number))
        taken = {self.tried(t) for t in measured} | {self.proposed(t) for t in others if is_running(t)}
        phase, plan = self._next(measured, taken, place_of(trial))
        return Proposal(plan, {PHASE: phase})

    def _next(self, measured: Sequence[FrozenTrial], taken: set[Ratios], place: int) -> tuple[str, dict[str, float]]:
        # Another limit, such as of operations, is met by smaller plans, if by any: none is worth waiting for.
        aims = _SEARCH if any(map(_reaches, measured)) else _REACH
        aim, rng = aims[place % len(aims)], np.random.default_rng((self._seed, place))
        model = ErrorModel(self._kinds, [self._observation(t) for t in measured if self.tried(t)])
        for draw in self._draws(model, aim.spread, rng):
            plan = self._plan(model, aim, draw)
            if ratios(plan) not in taken:
                return aim.phase, plan
        return aim.phase, self._any(plan, taken, rng)

    def _draws(self, model: ErrorModel, spread: float, rng: np.random.Generator) -> Iterator[np.ndarray | None]:
        """What curves are drawn by; further ones, ever wider, where a plan is known already."""
        yield None if spread == 0 else spread * rng.standard_normal(model.size)
        for wider in np.linspace(0.25, 1.5, 20):
            yield wider * rng.standard_normal(model.size)

    def _plan(self, model: ErrorModel, aim: _Aim, draw: np.ndarray | None) -> dict[str, float]:
        allocation = Allocation(self._curves(model, draw), self._problem.cost)
        within = allocation.for_error((aim.part * self._limit) ** (1 / model.power))
        if aim.phase == "reach" or self._problem.cost.bytes(within) > self._target:
            within = allocation.for_bytes(self._target) or within
        return self._kept(within, allocation)

    def _curves(self, model: ErrorModel, draw: np.ndarray | None) -> Curves:
        layers, power = self._space.layers, 1 / model.power  # Drops add up by a power.
        errors = model.drops(self._levels, draw)[: len(layers)] ** power
        branches = tuple(tuple(map(layers.index, own)) for own in self._space.branches.values())
        removals = model.drops((0.0, 1.0), draw)[len(layers) :, 1] ** power if branches else np.zeros(0)
        return Curves(layers, self._levels, errors, branches, removals)

    def _kept(self, plan: dict[str, float], allocation: Allocation) -> dict[str, float]:
        """The plan, or one smaller that keeps the limits known beside bytes; the plan where there is none."""
        size = self._problem.cost.bytes(plan)
        for share in _SHARES:
            smaller = plan if share == 1 else allocation.for_bytes(share * size)
            if smaller is None:
                break
            if self._problem.keeps(self._space.plan(smaller)):
                return smaller
        return plan

    def _any(self, plan: dict[str, float], taken: set[Ratios], rng: np.random.Generator) -> dict[str, float]:
        """A plan nearby that nobody tried, with all branches."""
        plan = {layer: ratio for layer, ratio in plan.items() if ratio < 1}
        while ratios(plan) in taken and len(taken) < len(self._levels) ** len(self._space.layers):
            plan = {**plan, str(rng.choice(self._space.layers)): float(rng.choice(self._levels))}
        return {layer: ratio for layer, ratio in plan.items() if ratio > 0}

    @property
    def _kinds(self) -> Mapping[str, str]:
        kinds = {layer: self._problem.kinds.get(layer, "") for layer in self._space.layers}
        return kinds | {branch: f"whole {branch.rpartition('.')[2]}" for branch in self._space.branches}

    @property
    def _target(self) -> float:
        """Bytes that a plan may have at most."""
        return math.floor(self._problem.cost.bytes({}) * (1 - self._problem.constraints.min_saving) + 1e-6)

    def _observation(self, trial: FrozenTrial) -> Observation:
        divergence = float(trial.user_attrs.get(DIVERGENCE, math.inf))
        return Observation(
            ratios=self._with_branches(dict(self.tried(trial))),
            drop=trial.constraints[ACCURACY_DROP] + self._limit,
            divergence=divergence if math.isfinite(divergence) else None,
            images=int(trial.user_attrs.get("images", 1000)),
        )

    def _with_branches(self, ratios: dict[str, float]) -> dict[str, float]:
        """The ratios, those of removed branches by the branch."""
        gone = {
            branch: layers
            for branch, layers in self._space.branches.items()
            if all(ratios.get(layer) == 1 for layer in layers)
        }
        lost = {layer for layers in gone.values() for layer in layers}
        return {layer: ratio for layer, ratio in ratios.items() if layer not in lost} | dict.fromkeys(gone, 1.0)


def _reaches(trial: FrozenTrial) -> bool:
    return trial.constraints[ACCURACY_DROP] <= 0 and trial.constraints[MEMORY_SAVING] <= 0


def _says_something(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and {ACCURACY_DROP, MEMORY_SAVING} <= trial.constraints.keys()


SENSITIVITY = SamplerKind(
    name="sensitivity",
    summary="ours: learns how sensitive every layer is, and allocates what may be lost",
    make=lambda problem, _options, seed: SensitivitySampler(problem, seed=seed),
    trials=lambda _problem, _options: 40,
    removes_branches=True,
)
