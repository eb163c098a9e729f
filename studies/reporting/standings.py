"""Where the samplers of a comparison stand: what each found, what it cost to find, and which leads are claimed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .attainment import attainment
from .comparison import Comparison, ReportedPlan, StudyResult, best_plan, nearest_plan
from .pareto import Point, hypervolume
from .running_time import Effort, RunningTime
from .significance import NONE_FOUND, Claim, Sample, claims, ranked

SAVING = "memory saved within the limits"
HYPERVOLUME = "hypervolume within the limits"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one sampler stands.

    Args:
        plan: Its best plan of all studies; where none keeps the limits, the one that misses them least.
        saving: Memory that each of its studies saved within the limits, as fraction.
        hypervolume: Of each of its studies, within the limits; fraction of the bytes times fraction of the images.
        running: What its first plan within the limits is expected to cost.
        unfinished: Whether it draws nothing at random and was cut off before its own end.
    """

    plan: ReportedPlan | None
    saving: Sample
    hypervolume: Sample
    running: RunningTime
    unfinished: bool


def standings(comparison: Comparison) -> dict[str, Standing]:
    """Every sampler, the one that saves most first."""
    volumes = {sample.sampler: sample for sample in hypervolumes(comparison)}
    return {
        saving.sampler: _standing(saving, volumes[saving.sampler], comparison.samplers[saving.sampler])
        for saving in savings(comparison)
    }


def savings(comparison: Comparison) -> list[Sample]:
    """Memory saved within the limits, the best sampler first; :data:`NONE_FOUND` where a study found no such plan."""
    return _samples(comparison, lambda study: study.best.selection.memory_saving if study.best else NONE_FOUND)


def hypervolumes(comparison: Comparison) -> list[Sample]:
    """Final hypervolume within the limits, the best sampler first; :data:`NONE_FOUND` where no plan keeps them."""

    def value(study: StudyResult) -> float:
        history = study.history
        kept = [point for point, feasible in zip(history.points, history.feasible, strict=True) if feasible]
        return hypervolume(kept, comparison.corner) if kept else NONE_FOUND

    return _samples(comparison, value)


def comparison_claims(comparison: Comparison, *, reference: str | None = None) -> list[Claim]:
    """All claims of a comparison over both numbers, corrected together.

    Args:
        comparison: The comparison.
        reference: A sampler that was named before the studies ran, against which alone the others are held.

    Raises:
        PrimeSVTError: No study has that sampler.
    """
    metrics: Mapping[str, list[Sample]] = {SAVING: savings(comparison), HYPERVOLUME: hypervolumes(comparison)}
    return claims(metrics, reference=reference)


def attained(studies: Sequence[StudyResult], share: float, *, test: bool) -> list[Point]:
    """Savings and accuracies that at least a share of a sampler's studies attain, the largest saving first.

    Args:
        studies: Studies of one sampler.
        share: Of the studies, above 0, at most 1; 0.5 is the median front, 0.25 and 0.75 bound the band around it.
        test: Whether by their accuracy on the test set, rather than on the selection set.

    Raises:
        PrimeSVTError: There is no study, or no such share.
    """
    fronts = [
        [(plan.selection.memory_saving, (plan.test if test else plan.selection).accuracy) for plan in study.front]
        for study in studies
    ]
    return attainment(fronts, share)


def _samples(comparison: Comparison, value: Callable[[StudyResult], float]) -> list[Sample]:
    return ranked(
        [
            Sample(sampler, tuple(map(value, studies)), studies[0].deterministic)
            for sampler, studies in comparison.samplers.items()
        ]
    )


def _standing(saving: Sample, volume: Sample, studies: list[StudyResult]) -> Standing:
    histories = [study.history for study in studies]
    return Standing(
        plan=best_plan(study.best for study in studies) or nearest_plan(study.nearest for study in studies),
        saving=saving,
        hypervolume=volume,
        running=RunningTime(efforts=tuple(Effort.of(h.feasible, h.images, h.seconds) for h in histories)),
        unfinished=studies[0].deterministic and not all(study.over for study in studies),
    )
