"""A comparison: several studies on one model, data set and constraint set, and what their plans do on the test set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from primesvt.pruning import PrunableLayer, PruningPlan, Robustness
from primesvt.search import (
    Constraints,
    Evaluation,
    Quantity,
)

from .device import DeviceCost
from .history import History
from .on_test_set import PairedAccuracy
from .pareto import Point
from .repair_gain import RepairGain


@dataclass(frozen=True, kw_only=True)
class ReportedPlan:
    """A plan that the report shows.

    Args:
        study: Name of the study that found it.
        trial: Number of its trial.
        plan: What it removes.
        selection: What was measured of it in the search; only a plan that misses the limits may be decided early there.
        drop: Percentage points lost on the selection set.
        feasible: Whether it keeps the limits there (with the margin, where there is one).
        violation: By how much it misses them; 0 where it keeps them.
        test: What it does on the test set.
    """

    study: str
    trial: int
    plan: PruningPlan
    selection: Evaluation
    drop: float
    feasible: bool
    violation: float
    test: PairedAccuracy

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "study": self.study,
            "trial": self.trial,
            "memory_saving": self.selection.memory_saving,
            "bytes": self.selection.bytes,
            "feasible": self.feasible,
            "violation": self.violation,
            "ratios": dict(self.plan.ratios),
            "measures": dict(self.selection.measures),
            "selection": {
                **self.selection.told(),
                "drop": self.drop,
                "decided_early": self.selection.decided_early,
            },
            "test": self.test.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """One study.

    Args:
        name: Its name.
        sampler: Its sampler, and the settings that tell it from others of that sampler.
        deterministic: Whether the sampler draws nothing at random, so that one study stands for every seed.
        seed: The sampler's seed.
        over: Whether the sampler came to an end of its own; False for samplers that know none.
        history: What it found, trial by trial.
        front: Its Pareto front, thinned, measured on the test set; by saving, the largest first. Only plans that were
            measured in full are on it.
        best: The plan that saves most within the limits, or None.
        nearest: The plan that misses the limits least, where none keeps them.
    """

    name: str
    sampler: str
    deterministic: bool
    seed: int
    over: bool
    history: History
    front: tuple[ReportedPlan, ...]
    best: ReportedPlan | None
    nearest: ReportedPlan | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that a report says.

    Args:
        family: Family of the model.
        parameters: Its parameters.
        bytes: Its bytes.
        data: Name of the data set.
        constraints: The limits.
        baseline: The unpruned model on the images of the search.
        test_baseline: The unpruned model on the test set.
        layers: Its prunable layers, the largest first.
        robustness: Accuracy with one layer pruned, or None where no study measured it.
        studies: The studies.
        gains: What each repair step adds to the plan that is put forward; empty where it is not repaired.
        further: What the studies optimize beside memory saving and accuracy.
        device: What a device feels of the unpruned model and of the plan that is put forward; None where there is no
            plan, or spikes cannot be counted.
        finetuned: What samplers' best plans do on the test set after fine-tuning, by the study that found them; empty
            where none was.
    """

    family: str
    parameters: int
    bytes: int
    data: str
    constraints: Constraints
    baseline: Evaluation
    test_baseline: PairedAccuracy
    layers: tuple[PrunableLayer, ...]
    robustness: Robustness | None
    studies: tuple[StudyResult, ...]
    gains: tuple[RepairGain, ...] = ()
    further: tuple[Quantity, ...] = ()
    device: tuple[DeviceCost, DeviceCost] | None = None
    finetuned: Mapping[str, PairedAccuracy] = field(default_factory=dict)

    @cached_property
    def samplers(self) -> dict[str, list[StudyResult]]:
        """The studies of each sampler."""
        groups: dict[str, list[StudyResult]] = {}
        for study in self.studies:
            groups.setdefault(study.sampler, []).append(study)
        return groups

    @property
    def winner(self) -> ReportedPlan | None:
        """The plan of all studies that saves most within the limits, chosen on the selection set alone."""
        return best_plan(study.best for study in self.studies)

    @property
    def nearest(self) -> ReportedPlan | None:
        """The plan that misses the limits least, where none keeps them."""
        return nearest_plan(study.nearest for study in self.studies)

    @property
    def corner(self) -> Point:
        """The worst saving and accuracy that the limits allow: the reference of the hypervolume within the limits."""
        limits = self.constraints
        return limits.min_saving, self.baseline.accuracy - (limits.max_drop - limits.margin) / 100


# As best_trial and nearest_trial of a study, but of plans of several: a plan knows what its trial measured, and its
# number says nothing beyond its study.
def best_plan(plans: Iterable[ReportedPlan | None]) -> ReportedPlan | None:
    """Of the plans that are there, the one that saves most; of equal ones, the most accurate."""
    there = [plan for plan in plans if plan is not None]
    return max(there, key=lambda p: (p.selection.memory_saving, p.selection.accuracy), default=None)


def nearest_plan(plans: Iterable[ReportedPlan | None]) -> ReportedPlan | None:
    """Of the plans that are there, the one that misses the limits least; of equal ones, the most accurate."""
    there = [plan for plan in plans if plan is not None]
    return min(there, key=lambda p: (p.violation, -p.selection.accuracy), default=None)
