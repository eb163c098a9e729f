"""What each repair step adds to the plan that a report puts forward."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from primesvt.pruning import PruningPlan

from .on_test_set import PairedAccuracy


@dataclass(frozen=True)
class RepairGain:
    """A plan after some of its repair steps.

    Args:
        steps: The steps that were run, in their order; none of them is the plan as cut.
        test: What it does on the test set then.
    """

    steps: tuple[str, ...]
    test: PairedAccuracy

    @property
    def name(self) -> str:
        """For a table."""
        return ", ".join(self.steps) or "as cut"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"steps": list(self.steps), "test": self.test.to_json()}


def gains_of(
    plan: PruningPlan, measure: Callable[[PruningPlan], PairedAccuracy], known: Mapping[tuple[str, ...], PairedAccuracy]
) -> tuple[RepairGain, ...]:
    """A plan as cut, and after each of its steps; nothing where it names none.

    Args:
        plan: The plan.
        measure: Asks the test set.
        known: What was measured before, by steps.
    """
    if not plan.repair:
        return ()
    run = [plan.repair[:count] for count in range(len(plan.repair) + 1)]
    return tuple(RepairGain(steps, known.get(steps) or measure(replace(plan, repair=steps))) for steps in run)
