"""Rejecting early changes no decision: the same plans keep the limits, and the policy ends with the same plan."""

import optuna
import pytest

from primesvt.pruning import PruningPlan
from primesvt.search import (
    Constraints,
    Evaluation,
    Evaluator,
    KnownEvaluations,
    Objective,
    PrioritizedPolicy,
    SearchSpace,
    StoppingRule,
    ratios,
)
from primesvt.search.samplers import PrioritizedSampler

from .models import told
from .synthetic import DIRECTIONS

LAYERS = ("blocks.0.attention", "blocks.0.output", "blocks.0.projection", "stem.1")
RATES = (0.25, 0.5, 0.75)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    model, data = told()
    return Evaluator(model, data.selection)


@pytest.fixture(scope="module")
def measured(evaluator: Evaluator) -> list[tuple[PruningPlan, Evaluation]]:
    """Plans of one layer or two, and what they are in full."""
    alone = [PruningPlan({layer: rate}) for layer in LAYERS for rate in RATES]
    pairs = [PruningPlan({LAYERS[0]: 0.25, layer: rate}) for layer in LAYERS[1:] for rate in RATES]
    return [(plan, evaluator.evaluate(plan)) for plan in alone + pairs]


@pytest.mark.parametrize("risk", [0.0, 1e-4])
@pytest.mark.parametrize(("max_drop", "margin"), [(3.0, 0.0), (12.0, 0.0), (12.0, 4.0), (50.0, 0.0)])
def test_the_same_plans_are_feasible(
    evaluator: Evaluator,
    measured: list[tuple[PruningPlan, Evaluation]],
    risk: float,
    max_drop: float,
    margin: float,
) -> None:
    limits = Constraints(max_drop=max_drop, min_saving=0.0, margin=margin)
    baseline = evaluator.baseline()
    stopping = StoppingRule(baseline=baseline, constraints=limits, risk=risk)

    def feasible(evaluation: Evaluation) -> bool:
        return limits.kept(drop=evaluation.drop_from(baseline.evaluation), saving=evaluation.memory_saving)

    early = 0
    for place, (plan, whole) in enumerate(measured):
        part = evaluator.evaluate(plan, stopping.rejection(evaluator.key(plan), place, evaluator.sureness))
        assert feasible(part) == feasible(whole)
        assert part.decided_early or part.right == whole.right
        early += bool(part.decided_early)
    kept = sum(feasible(whole) for _, whole in measured)
    assert 0 < kept < len(measured)
    assert early > (len(measured) - kept) / 2


@pytest.mark.parametrize(("exhaust", "probe_first"), [(False, True), (True, False)])
@pytest.mark.parametrize("slack", [-3.0, 0.0, 15.0])
@pytest.mark.parametrize(("max_drop", "min_saving"), [(5.0, 0.02), (12.0, 0.1), (12.0, 0.9)])
def test_the_policy_ends_with_the_same_plan(
    evaluator: Evaluator, exhaust: bool, probe_first: bool, slack: float, max_drop: float, min_saving: float
) -> None:
    limits = Constraints(max_drop=max_drop, min_saving=min_saving)
    baseline = evaluator.baseline()
    space = SearchSpace(layers=LAYERS, step=0.25, max_ratio=0.75)
    policy = PrioritizedPolicy(layers=LAYERS, rates=RATES, slack=slack, exhaust=exhaust, probe_first=probe_first)
    rule = StoppingRule(baseline=baseline, constraints=limits, slack=max(slack, 0.0), risk=1e-4)
    results = []
    for stopping in (None, rule):
        sampler = PrioritizedSampler(policy, space.distributions)
        study = optuna.create_study(sampler=sampler, directions=DIRECTIONS)
        known = KnownEvaluations(study)
        study.optimize(Objective(space, evaluator, limits, baseline.evaluation, known, stopping), n_trials=100)
        results.append((sampler.result(study), [ratios(t.params) for t in study.trials]))
    assert results[0] == results[1]
    assert any(t.user_attrs.get("decided_early") for t in study.trials)
    assert results[0][0] is not None
