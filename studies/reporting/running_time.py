"""What it costs to find a first plan within the limits, the studies that found none included.

Expected running time: all that the studies spent until they found one, or until they ended without, over the number of
studies that found one. That is what starting the sampler anew until it succeeds costs on average; the mean of the
successful studies alone praises a sampler that is seldom lucky. A. Auger and N. Hansen, *Performance evaluation of an
advanced local search evolutionary algorithm*, CEC 2005; N. Hansen et al., *COCO: a platform for comparing continuous
optimizers in a black-box setting*, Optimization Methods and Software 36, 2021, doi:10.1080/10556788.2020.1808977.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from primesvt.models import PrimeSVTError


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What one study spent until its first plan within the limits, or in all where it found none.

    Args:
        found: Whether it found one.
        trials: Plans tried, the one found included.
        images: Images forwarded.
        seconds: Time, the sampler's own included.
    """

    found: bool
    trials: int
    images: int
    seconds: float

    @classmethod
    def of(cls, feasible: Sequence[bool], images: Sequence[int], seconds: Sequence[float]) -> Self:
        """Read it off a study's course.

        Args:
            feasible: Whether each trial keeps the limits.
            images: Images forwarded up to and with each trial.
            seconds: Seconds spent up to and with each trial.

        Raises:
            PrimeSVTError: There is no trial.
        """
        if not feasible:
            raise PrimeSVTError("A study without a finished trial has no effort; run it first.")
        found = True in feasible
        last = feasible.index(True) if found else len(feasible) - 1
        return cls(found=found, trials=last + 1, images=images[last], seconds=seconds[last])


@dataclass(frozen=True, kw_only=True)
class RunningTime:
    """What a first plan within the limits is expected to cost; infinite where no study found one.

    Args:
        efforts: What each study spent.
    """

    efforts: tuple[Effort, ...]

    @property
    def studies(self) -> int:
        """How many studies there are."""
        return len(self.efforts)

    @property
    def found(self) -> int:
        """How many of them found one."""
        return sum(effort.found for effort in self.efforts)

    @property
    def trials(self) -> float:
        """Expected plans tried."""
        return self._expected(self.spent_trials)

    @property
    def images(self) -> float:
        """Expected images forwarded."""
        return self._expected(sum(effort.images for effort in self.efforts))

    @property
    def seconds(self) -> float:
        """Expected time."""
        return self._expected(sum(effort.seconds for effort in self.efforts))

    @property
    def spent_trials(self) -> int:
        """Plans that all studies tried until their first."""
        return sum(effort.trials for effort in self.efforts)

    def to_json(self) -> dict[str, Any]:
        """Plain data; None for what is infinite."""
        expected = {"trials": self.trials, "images": self.images, "seconds": self.seconds}
        return {
            "studies": self.studies,
            "found": self.found,
            **{name: value if self.found else None for name, value in expected.items()},
        }

    def _expected(self, spent: float) -> float:
        return spent / self.found if self.found else math.inf
