"""What a comparison says in words: the plan and whether it keeps the limit, and which sampler is ahead of which."""

from dataclasses import dataclass, replace
from enum import StrEnum

from primesvt.pruning import measure_named
from primesvt.search import ACCURACY_DROP, MEMORY_SAVING, Constraints

from ..running.unseen import seen_before
from .comparison import Comparison, ReportedPlan
from .leads import leads
from .sampling import sampling_notes
from .standings import standings


class Conclusion(StrEnum):
    """How a comparison ended."""

    KEPT = "limits kept"
    MISSED = "limit missed on test"
    NONE_FOUND = "no plan found"


@dataclass(frozen=True)
class Verdict:
    """What comes first in a report.

    Args:
        conclusion: How the comparison ended.
        sentences: Three: which plan, what it saves and costs, whether the limit is kept on the test set. A miss is the
            first of them; a fourth one says where the model seems to know the selection images.
    """

    conclusion: Conclusion
    sentences: tuple[str, ...]

    @property
    def alarm(self) -> bool:
        """Whether there is no plan that keeps the limits, or it does so only in the search."""
        return self.conclusion is not Conclusion.KEPT


def verdict(comparison: Comparison) -> Verdict:
    """The plan that was chosen, and whether it keeps on the test set what it kept on the selection set."""
    said, seen = _verdict(comparison), seen_before(comparison.baseline, comparison.test_baseline)
    return said if seen is None else replace(said, sentences=(*said.sentences, seen))


def _verdict(comparison: Comparison) -> Verdict:
    winner = comparison.winner
    if winner is None:
        return Verdict(Conclusion.NONE_FOUND, _none_found(comparison))
    which = (
        f"Trial {winner.trial} of {winner.study} saves most within the limits: {winner.selection.memory_saving:.2%} of "
        f"the bytes ({winner.selection.bytes:,} of {comparison.bytes:,} are left); it was chosen on "
        f"{winner.selection.images:,} selection images, where it loses {winner.drop:.2f} points."
    )
    costs, limit = _on_test(winner), f"The limit of {comparison.constraints.max_drop:g} points"
    if not kept_on_test(comparison, winner):
        missed = (
            f"{limit} is missed on the test set, by {winner.test.drop - comparison.constraints.max_drop:.2f} points, "
            "though it was kept on the selection set: search again with --margin."
        )
        return Verdict(Conclusion.MISSED, (missed, which, costs))
    if winner.test.drop_interval[1] <= comparison.constraints.max_drop:
        return Verdict(Conclusion.KEPT, (which, costs, f"{limit} is kept on the test set, by the whole interval."))
    unsure = (
        f"{limit} is kept on the test set, but not by the whole interval: on other images it may be missed "
        "(--margin keeps clear of it)."
    )
    return Verdict(Conclusion.KEPT, (which, costs, unsure))


def words(comparison: Comparison) -> list[str]:
    """The whole summary, sentence by sentence: the verdict, the samplers' leads, and what was cut off."""
    trials = {
        sampler: max(len(study.history.points) for study in studies) for sampler, studies in comparison.samplers.items()
    }
    return [
        *verdict(comparison).sentences,
        *leads(comparison),
        *(
            f"The pass of {sampler} was not over after {trials[sampler]} trials: give it more."
            for sampler, standing in standings(comparison).items()
            if standing.unfinished
        ),
        *sampling_notes(comparison),
    ]


def kept_on_test(comparison: Comparison, plan: ReportedPlan) -> bool:
    """Whether a plan keeps the limits that the user set on the test set."""
    limits = comparison.constraints.without_margin()
    return limits.kept(drop=plan.test.drop, saving=plan.selection.memory_saving, measures=plan.selection.measures)


def miss(comparison: Comparison, plan: ReportedPlan) -> str:
    """By how much a plan misses the limits of the search."""
    seen = plan.selection
    over = comparison.constraints.values(drop=plan.drop, saving=seen.memory_saving, measures=seen.measures)
    units = {name: f"% of the limit of {name}" for name in comparison.constraints.limits}
    units |= {ACCURACY_DROP: "points of accuracy", MEMORY_SAVING: "points of memory"}
    return " and ".join(f"{over[name]:.2f} {unit}" for name, unit in units.items() if over[name] > 0)


def other_limits(limits: Constraints) -> str:
    """The limits of measures in words, each behind a comma."""
    return "".join(f", {name} at most {measure_named(name).text(most)}" for name, most in limits.limits.items())


def _none_found(comparison: Comparison) -> tuple[str, str, str]:
    limits, nearest = comparison.constraints, comparison.nearest
    least = f"at most {limits.max_drop - limits.margin:g} points lost, at least {limits.min_saving:.2%} saved"
    least += other_limits(limits)
    none = f"No study found a plan that keeps the limits ({least})."
    if nearest is None:
        return none, "No study has a plan that was measured.", "The test set was not looked at."
    kept = "kept" if limits.without_margin().excess(nearest.test.drop) <= 0 else "missed"
    early = f", by an estimate: measuring stopped early, after {nearest.selection.images:,} images"
    return (
        none,
        f"The nearest, trial {nearest.trial} of {nearest.study}, saves {nearest.selection.memory_saving:.2%} and loses "
        f"{nearest.drop:.2f} points on the selection set{early if nearest.selection.decided_early else ''}: it misses "
        f"by {miss(comparison, nearest)}.",
        f"{_on_test(nearest)} The limit of {limits.max_drop:g} points is {kept} there.",
    )


def _on_test(plan: ReportedPlan) -> str:
    test = plan.test
    return (
        f"On {test.images:,} test images its accuracy is {test.accuracy:.2%} (95 % interval {test.interval[0]:.2%} to "
        f"{test.interval[1]:.2%}), {test.drop:.2f} points below the unpruned model ({test.drop_interval[0]:.2f} to "
        f"{test.drop_interval[1]:.2f})."
    )
