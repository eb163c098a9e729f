"""What the words of a comparison rest on, as tables of text and as data: its samplers and its claims."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .cells import MeasuredCells
from .comparison import Comparison
from .effects import Estimate, improvement, lead
from .leads import UNITS, kind, probability
from .significance import Claim, Sample
from .standings import Standing, comparison_claims, standings
from .verdict import kept_on_test, miss

# Of the bootstrap: the same report says the same.
_SEED = 0

Table = tuple[list[str], list[list[str]]]


def sampler_table(comparison: Comparison) -> Table:
    """Header and rows of the samplers, the one that saves most first."""
    header = [
        "sampler", "most saved within the limits", "points lost on test", "studies that found a plan",
        "trials to the first", "images to the first", "seconds to the first",
    ]  # fmt: skip
    return header, [_row(comparison, sampler, standing) for sampler, standing in standings(comparison).items()]


def claims_table(comparison: Comparison) -> Table:
    """Header and rows of every claim, with what it rests on."""
    header = [
        "number", "ahead", "behind", "by, in the median", "probability of improvement", "p alone", "p among all",
        "the one behind is",
    ]  # fmt: skip
    rows = []
    for claim in comparison_claims(comparison):
        better, ahead = effects(claim.first, claim.second)
        form = UNITS[claim.metric].lead
        # Where half of a sampler's studies found nothing, its median is no number.
        by = _interval(ahead, form) if math.isfinite(ahead.value) else "no number"
        p = ("", "") if claim.certain else (probability(claim.raw_p), probability(claim.p))
        of = [claim.metric, claim.first.sampler, claim.second.sampler]
        rows.append([*of, by, _interval(better, "{:.2f}".format), *p, kind(claim)])
    return header, rows


def gains_table(comparison: Comparison) -> Table:
    """Header and rows of the plan that is put forward, as cut and after each of its repair steps."""
    header = ["repair", "test accuracy", "points lost", "95 % interval"]
    measured = [(gain.name, MeasuredCells(gain.test)) for gain in comparison.gains]
    return header, [[name, cells.accuracy, cells.lost, cells.lost_interval] for name, cells in measured]


def claim_to_json(claim: Claim) -> dict[str, Any]:
    """A claim as plain data, with effect sizes and their 95 % intervals; None for what is infinite."""
    better, ahead = effects(claim.first, claim.second)
    return {
        "number": claim.metric,
        "ahead": claim.first.sampler,
        "behind": claim.second.sampler,
        "p_alone": claim.raw_p,
        "p": claim.p,
        "clear": claim.is_clear,
        "too_few_seeds": claim.too_few_seeds,
        "probability_of_improvement": _finite(better),
        "lead_of_medians": _finite(ahead),
    }


def effects(first: Sample, second: Sample) -> tuple[Estimate, Estimate]:
    """Probability of improvement and lead of the medians, with the same draws in every report."""
    rng = np.random.default_rng(_SEED)
    return improvement(first, second, rng), lead(first, second, rng)


def _row(comparison: Comparison, sampler: str, standing: Standing) -> list[str]:
    plan, running = standing.plan, standing.running
    found = f"{running.found} of {running.studies}"
    if plan is None or not running.found:
        near = "" if plan is None else f", the nearest misses by {miss(comparison, plan)}"
        return [sampler, f"none{near}", "", found, f"none in {running.spent_trials:,}", "", ""]
    lost = f"{plan.test.drop:.2f}" + ("" if kept_on_test(comparison, plan) else " (missed)")
    expected = (f"{running.trials:,.0f}", f"{running.images:,.0f}", f"{running.seconds:,.0f}")
    return [sampler, f"{plan.selection.memory_saving:.2%}", lost, found, *expected]


def _interval(estimate: Estimate, form: Callable[[float], str]) -> str:
    low, high = (form(end) if math.isfinite(end) else "no number" for end in (estimate.low, estimate.high))
    return f"{form(estimate.value)} [{low}, {high}]"


def _finite(estimate: Estimate) -> list[float | None]:
    numbers = (estimate.value, estimate.low, estimate.high)
    return [number if math.isfinite(number) else None for number in numbers]
