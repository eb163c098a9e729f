"""What tables say of a plan and of a measurement on the test set, cell by cell, so that all say it alike."""

from dataclasses import dataclass

from .chosen import limits_kept
from .comparison import Comparison, ReportedPlan
from .on_test_set import PairedAccuracy


@dataclass(frozen=True)
class MeasuredCells:
    """Cells of a model that was measured on the test set.

    Args:
        test: What it does there.
    """

    test: PairedAccuracy

    @property
    def accuracy(self) -> str:
        """The accuracy."""
        return f"{self.test.accuracy:.2%}"

    @property
    def accuracy_interval(self) -> str:
        """Its 95 % interval."""
        low, high = self.test.interval
        return f"{low:.2%} to {high:.2%}"

    @property
    def lost(self) -> str:
        """Points lost against the unpruned model."""
        return f"{self.test.drop:.2f}"

    @property
    def lost_interval(self) -> str:
        """Their 95 % interval."""
        low, high = self.test.drop_interval
        return f"[{low:.2f}, {high:.2f}]"


@dataclass(frozen=True)
class PlanCells(MeasuredCells):
    """Cells of a plan.

    Args:
        test: What its model does on the test set, as the plan makes it or fine-tuned.
        plan: The plan.
        comparison: Has the limits.
    """

    plan: ReportedPlan
    comparison: Comparison

    @classmethod
    def of(cls, comparison: Comparison, plan: ReportedPlan) -> "PlanCells":
        """Of a plan as it was measured first."""
        return cls(plan.test, plan, comparison)

    @property
    def kept(self) -> str:
        """On which sets it keeps the limits."""
        return limits_kept(self.comparison, self.plan)

    @property
    def size(self) -> tuple[str, str]:
        """Bytes, and what is saved of the unpruned model's."""
        return f"{self.plan.selection.bytes:,}", f"{self.plan.selection.memory_saving:.2%}"

    @property
    def place(self) -> str:
        """Study and trial."""
        return f"{self.plan.study} #{self.plan.trial}"
