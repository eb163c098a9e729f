"""The plans of a comparison that a report puts forward, and how they stand to the limits."""

from .comparison import Comparison, ReportedPlan, best_plan, nearest_plan
from .pareto import pareto_front
from .verdict import kept_on_test


def best_of_samplers(comparison: Comparison) -> dict[str, ReportedPlan | None]:
    """Every sampler's best plan, of all its seeds; where none keeps the limits, its nearest."""
    return {
        sampler: best_plan(study.best for study in studies) or nearest_plan(study.nearest for study in studies)
        for sampler, studies in comparison.samplers.items()
    }


def best_trade_offs(comparison: Comparison) -> list[ReportedPlan]:
    """Of all plans that were measured on the test set, the Pareto front, the smallest model first.

    By saving and accuracy on the selection set: the test set tells what a plan does, and chooses none.
    """
    plans = [plan for study in comparison.studies for plan in study.front]
    front = pareto_front([(plan.selection.memory_saving, plan.selection.accuracy) for plan in plans])
    return [plans[i] for i in front]


def limits_kept(comparison: Comparison, plan: ReportedPlan) -> str:
    """On which sets a plan keeps the limits that the user set, in a word."""
    return {
        (True, True): "yes",
        (True, False): "in the search, not on test",
        (False, True): "on test, not in the search",
        (False, False): "no",
    }[(plan.feasible, kept_on_test(comparison, plan))]


def stopped_early(plan: ReportedPlan) -> str:
    """After how many images the search stopped measuring a plan; nothing where it did not."""
    return f", stopped after {plan.selection.images:,} images" if plan.selection.decided_early else ""
