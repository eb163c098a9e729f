"""Which sampler is ahead of which, in words, and whether that is more than noise."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .comparison import Comparison
from .significance import Claim, Sample
from .standings import HYPERVOLUME, SAVING, comparison_claims, hypervolumes, savings


@dataclass(frozen=True)
class Unit:
    """How a number is written.

    Args:
        form: The number.
        lead: The difference of two.
    """

    form: Callable[[float], str]
    lead: Callable[[float], str]


# Hypervolume in per cent of the bytes times points of accuracy: in fractions it is a number that nobody can read.
UNITS = {
    SAVING: Unit("{:.2%}".format, lambda saving: f"{100 * saving:.2f} points"),
    HYPERVOLUME: Unit(lambda volume: f"{1e4 * volume:,.2f} %·points", lambda volume: f"{1e4 * volume:,.2f} %·points"),
}


def leads(comparison: Comparison) -> list[str]:
    """The best sampler in each number, and what sets it apart from each of the others."""
    made = comparison_claims(comparison)
    sentences = [
        _lead(samples, metric, [claim for claim in made if claim.metric == metric])
        for metric, samples in ((SAVING, savings(comparison)), (HYPERVOLUME, hypervolumes(comparison)))
        if samples[0].found
    ]
    drawn = sum(not claim.certain for claim in made)
    if sentences and drawn:
        sentences.append(
            "p is the probability of so clear an order between two equal samplers, corrected by Holm's method for the "
            f"{drawn} claims of this report: every two samplers, in both numbers."
        )
    return sentences


def kind(claim: Claim) -> str:
    """What may be said of the one that is behind."""
    if claim.is_level:
        return "level"
    if claim.certain:
        return "behind, and nothing is drawn at random"
    if claim.is_clear:
        return "behind by more than noise"
    return "too few seeds to tell from noise" if claim.too_few_seeds else "not told from noise"


def probability(p: float) -> str:
    """A probability as it is written."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _lead(samples: Sequence[Sample], metric: str, made: Sequence[Claim]) -> str:
    best, unit = samples[0], UNITS[metric]
    groups: dict[str, list[str]] = {}
    for other in samples[1:]:
        claim = next(claim for claim in made if {claim.first, claim.second} == {best, other})
        groups.setdefault(kind(claim), []).append(_told(claim, best, other, unit))
    text = f"Most {metric}: {best.sampler} with {_number(best, unit)}."
    return text + "".join(f" {said[0].upper()}{said[1:]}: {'; '.join(others)}." for said, others in groups.items())


def _told(claim: Claim, best: Sample, other: Sample, unit: Unit) -> str:
    if claim.is_level:
        return other.sampler
    ours, theirs = median(best.seeds), median(other.seeds)
    if not other.found:
        by = "found none"
    elif math.isinf(ours) or math.isinf(theirs):
        by = f"found a plan in {len(other.found)} of {_seeds(other)}"
    elif ours == theirs:
        by = "the same median"
    else:
        by = f"{unit.lead(abs(ours - theirs))} {'behind' if ours > theirs else 'ahead'} in the median"
    return f"{other.sampler} ({by}{'' if claim.certain else ', ' + probability(claim.p)})"


def _number(sample: Sample, unit: Unit) -> str:
    text = unit.form(median(sample.found))
    if sample.deterministic:
        return f"{text} (draws nothing at random, so every seed gives this)"
    if len(sample.values) == 1:
        return f"{text} (one seed)"
    of = "" if sample.found == sample.values else f"the {len(sample.found)} that found a plan of "
    low, high = unit.form(min(sample.found)), unit.form(max(sample.found))
    return f"{text} (median of {of}{_seeds(sample)}, {low} to {high})"


def _seeds(sample: Sample) -> str:
    return "1 seed" if len(sample.seeds) == 1 else f"{len(sample.seeds)} seeds"
