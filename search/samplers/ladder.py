"""Plans in one row, each prunes more than the one before: the simplest baselines are such rows.

The next plan is always the untried one nearest to the middle of what is in question: between the farthest plan that
keeps the limit of accuracy and the nearest one beyond it that does not. So the first trials halve the row until it is
known how far one may go, the others follow from there in both directions, and the study ends with the row.
"""

from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..attributes import PHASE
from ..constraints import ACCURACY_DROP
from ..policy import Ratios, ratios
from ..space import SearchSpace
from ..workers import is_running
from .kind import Problem, SamplerKind
from .plan_sampler import PlanSampler, Proposal, result_of, stop


class LadderSampler(PlanSampler):
    """Proposes the plans of a row.

    It keeps nothing on itself: the next plan follows from the finished trials. A trial that failed says nothing:
    its plan is proposed again. A trial begun after the last plan is pruned as soon as it asks for a ratio.

    Args:
        space: What there is to choose.
        rungs: The plans, layers with ratio 0 may be left out.
        phase: What a trial does, for a person.
    """

    key = "LadderSampler:ratios"

    def __init__(self, space: SearchSpace, rungs: Sequence[Mapping[str, float]], *, phase: str) -> None:
        super().__init__(space.layers, space.distributions, seed=0)
        # Two that round to the same plan are one.
        self._rungs = tuple(dict.fromkeys(ratios(rung) for rung in rungs if any(rung.values())))
        self._phase = phase

    def propose(self, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Proposal:
        """The next plan.

        Raises:
            TrialPruned: Every plan is measured; :meth:`after_trial` ends the study.
        """
        left = self._left(self._measured(others))
        if not left:
            raise optuna.TrialPruned("Every plan of the row is measured: there is nothing left to try.")
        running = {self.proposed(t) for t in others if is_running(t)}
        return Proposal(dict(next((rung for rung in left if rung not in running), left[0])), {PHASE: self._phase})

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Stop the study when this trial was the last of the row."""
        measured = self._measured([t for t in study.get_trials(deepcopy=False) if t.number != trial.number])
        if state == TrialState.COMPLETE:
            measured |= self._measured([trial], state=trial.state)
        if not self._left(measured):
            stop(study)

    def result(self, study: optuna.Study) -> Mapping[str, float] | None:
        """The last plan that keeps the limit of accuracy, empty where none does; None while a plan is not measured."""
        measured = self._measured(study.get_trials(deepcopy=False))
        if self._left(measured):
            return None
        return dict(next((rung for rung in reversed(self._rungs) if measured[rung] <= 0), ()))

    def _left(self, measured: Mapping[Ratios, float]) -> list[Ratios]:
        """Plans that are not measured yet, the next one first."""
        excess = [measured.get(rung) for rung in self._rungs]
        kept = max((at for at, value in enumerate(excess) if value is not None and value <= 0), default=-1)
        missed = (at for at, value in enumerate(excess) if value is not None and value > 0 and at > kept)
        middle = (kept + next(missed, len(excess))) / 2
        untried = (at for at, value in enumerate(excess) if value is None)
        return [self._rungs[at] for at in sorted(untried, key=lambda at: abs(at - middle))]

    def _measured(self, trials: Sequence[FrozenTrial], state: TrialState = TrialState.COMPLETE) -> dict[Ratios, float]:
        """Points beyond the limit of accuracy of every plan among the trials, the first of each."""
        return {
            self.tried(t): t.constraints[ACCURACY_DROP]
            for t in reversed(trials)
            if t.state == state and ACCURACY_DROP in t.constraints
        }


def ladder_kind(name: str, summary: str, rungs: Callable[[Problem], Sequence[Mapping[str, float]]]) -> SamplerKind:
    """A sampler that tries plans in one row, one for every level above 0 at most.

    Args:
        name: As on the command line; a trial's phase, too.
        summary: What it is, in a few words.
        rungs: The plans for a problem.
    """
    return SamplerKind(
        name=name,
        summary=summary,
        make=lambda problem, _options, _seed: LadderSampler(problem.space, rungs(problem), phase=name),
        deterministic=True,
        ends_by_itself=True,
        trials=lambda problem, _options: len(problem.space.levels) - 1,
        result=result_of,
    )
