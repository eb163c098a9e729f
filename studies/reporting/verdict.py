"""What a comparison says in words: which sampler won on what, by how much, and whether that is more than noise.

Two samplers are compared over their seeds with the exact Mann-Whitney test (H. B. Mann, D. R. Whitney, Annals of
Mathematical Statistics 18, 1947). A sampler that draws nothing at random has one study, which stands for every seed;
the other's seeds are then held against that one number by the sign test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from scipy.stats import binomtest, mannwhitneyu

from .comparison import Comparison, ReportedPlan, StudyResult

_LEVEL = 0.05


@dataclass(frozen=True)
class Sample:
    """One number of each study of a sampler.

    Args:
        sampler: The sampler.
        values: The numbers, one per study.
        deterministic: Whether one study stands for every seed.
    """

    sampler: str
    values: tuple[float, ...]
    deterministic: bool

    @property
    def mean(self) -> float:
        """Their mean."""
        return fmean(self.values)


@dataclass(frozen=True)
class Duel:
    """Whether two samplers differ by more than their seeds' noise.

    Args:
        p: Probability of so clear an order between two equal samplers; None where nothing can be said.
        smallest_p: The smallest that so few seeds can give.
    """

    p: float | None
    smallest_p: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the difference is more than noise."""
        return self.p is not None and self.p < _LEVEL


def duel(first: Sample, second: Sample) -> Duel:
    """Compare two samplers over their seeds, two-sided."""
    if first.deterministic and second.deterministic:
        # Nothing is drawn, so nothing is noise.
        p = 0.0 if first.values[0] != second.values[0] else 1.0
        return Duel(p, 0.0)
    if first.deterministic or second.deterministic:
        fixed, drawn = (first, second) if first.deterministic else (second, first)
        if len(drawn.values) < 2:
            return Duel(None, None)
        differing = [value for value in drawn.values if value != fixed.values[0]]
        if not differing:
            return Duel(1.0, 0.0)
        below = sum(value < fixed.values[0] for value in differing)
        count = len(differing)
        return Duel(float(binomtest(below, count).pvalue), float(binomtest(0, count).pvalue))
    sizes = len(first.values), len(second.values)
    if min(sizes) < 2:
        return Duel(None, None)
    p = float(mannwhitneyu(first.values, second.values, method="exact").pvalue)
    return Duel(p, 2 / math.comb(sum(sizes), sizes[0]))


def savings(comparison: Comparison) -> list[Sample]:
    """Memory saved within the limits, 0 where a study found no such plan; the best sampler first."""
    return _samples(comparison, lambda study: study.best.selection.memory_saving if study.best else 0.0)


def hypervolumes(comparison: Comparison) -> list[Sample]:
    """Final hypervolume within the limits; the best sampler first."""
    return _samples(comparison, lambda study: study.history.hypervolume(comparison.corner, feasible_only=True)[-1])


def _samples(comparison: Comparison, value) -> list[Sample]:  # type: ignore[no-untyped-def]
    samples = [
        Sample(sampler, tuple(map(value, studies)), studies[0].deterministic)
        for sampler, studies in comparison.samplers.items()
    ]
    return sorted(samples, key=lambda sample: -sample.mean)


def words(comparison: Comparison) -> list[str]:
    """The summary, sentence by sentence."""
    sentences = []
    winner = comparison.winner
    if winner is None:
        sentences.append(_no_winner(comparison))
    else:
        sentences += _winner(comparison, winner)
        sentences += _ranking("memory saved within the limits", savings(comparison), "{:.2%}", "{:.2f} points", 100)
        sentences += _ranking("hypervolume within the limits", hypervolumes(comparison), "{:.3g}", "{:.3g}", 1)
    sentences += _effort(comparison)
    return sentences


def _winner(comparison: Comparison, winner: ReportedPlan) -> list[str]:
    limits, test = comparison.constraints, winner.test
    low, high = test.drop_interval
    if high <= limits.max_drop:
        verdict = f"the limit of {limits.max_drop:g} points is kept, by the whole interval"
    elif test.drop <= limits.max_drop:
        verdict = (
            f"the limit of {limits.max_drop:g} points is kept, but not by the whole interval: on other images it may "
            "be missed (--margin keeps clear of it)"
        )
    else:
        verdict = (
            f"the limit of {limits.max_drop:g} points is missed on the test set, though it was kept on the selection "
            "set: search again with --margin"
        )
    return [
        f"The plan that saves most within the limits is trial {winner.trial} of {winner.study}: "
        f"{winner.selection.memory_saving:.2%} of the bytes, chosen on {winner.selection.images:,} selection images "
        f"({winner.drop:.2f} points lost there).",
        f"On {test.images:,} test images its accuracy is {test.accuracy:.2%} (95 % interval {test.interval[0]:.2%} to "
        f"{test.interval[1]:.2%}), {test.drop:.2f} points below the unpruned model ({low:.2f} to {high:.2f}): "
        f"{verdict}.",
    ]


def _no_winner(comparison: Comparison) -> str:
    limits, nearest = comparison.constraints, comparison.nearest
    least = f"at most {limits.max_drop - limits.margin:g} points lost, at least {limits.min_saving:.2%} saved"
    if nearest is None:
        return f"No study has a plan that keeps the limits ({least})."
    return (
        f"No study found a plan that keeps the limits ({least}). The nearest, trial {nearest.trial} of "
        f"{nearest.study}, saves {nearest.selection.memory_saving:.2%} and loses {nearest.drop:.2f} points on the "
        f"selection set{_stopped(nearest)}."
    )


def _stopped(plan: ReportedPlan) -> str:
    images = plan.selection.images
    return f", by an estimate: measuring stopped early, after {images:,} images" if plan.selection.decided_early else ""


def _ranking(what: str, samples: Sequence[Sample], form: str, lead_form: str, lead_unit: float) -> list[str]:
    first, *others = samples
    sentences = [f"Most {what}: {_number(first, form)}."]
    for other in others:
        if len({*first.values, *other.values}) == 1:
            sentences.append(f"{_number(other, form)} is level with it.")
            continue
        lead = lead_form.format(lead_unit * (first.mean - other.mean))
        sentences.append(f"{first.sampler} is {lead} ahead of {_number(other, form)}: {_noise(duel(first, other))}.")
    return sentences


def _number(sample: Sample, form: str) -> str:
    mean = form.format(sample.mean)
    if sample.deterministic:
        return f"{sample.sampler} with {mean} (draws nothing at random, so every seed gives this)"
    if len(sample.values) == 1:
        return f"{sample.sampler} with {mean} (one seed)"
    low, high = form.format(min(sample.values)), form.format(max(sample.values))
    return f"{sample.sampler} with {mean} (mean of {len(sample.values)} seeds, {low} to {high})"


def _noise(result: Duel) -> str:
    if result.p is None or result.smallest_p is None:
        return "one seed cannot tell this from noise"
    if result.is_clear:
        return "more than noise" + (f" (p = {result.p:.3f})" if result.p else "")
    if result.smallest_p >= _LEVEL:
        never = f"with so few never below {result.smallest_p:.2f}"
        return f"too few seeds to tell this from noise (p = {result.p:.2f}, {never})"
    return f"not more than noise (p = {result.p:.2f})"


def _effort(comparison: Comparison) -> list[str]:
    sentences = []
    for sampler, studies in comparison.samplers.items():
        found = [s.history.first_feasible for s in studies if s.history.first_feasible is not None]
        trials = max(len(study.history.points) for study in studies)
        if not found:
            sentences.append(f"{sampler} found no plan within the limits in {trials} trials, in {_count(studies)}.")
        else:
            first = f"{fmean(found):.0f}" if len(found) > 1 else f"{found[0]}"
            of = f" ({len(found)} of {len(studies)} studies found one)" if len(found) < len(studies) else ""
            trials_word = "trial" if first == "1" else "trials"
            sentences.append(f"{sampler} needed {first} {trials_word} to its first plan within the limits{of}.")
        if studies[0].deterministic and not all(study.over for study in studies):
            sentences.append(f"The pass of {sampler} was not over after {trials} trials: give it more.")
    return sentences


def _count(studies: Sequence[StudyResult]) -> str:
    return "one study" if len(studies) == 1 else f"each of {len(studies)} studies"
