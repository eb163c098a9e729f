"""What a study found, trial by trial, and at what cost: the curves of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from optuna.trial import FrozenTrial

from primesvt.search import (
    REDRAWN,
    REUSED,
    SAMPLING,
    accuracy_of,
    decided_early,
    is_feasible,
    saving_of,
    violation,
)

from .pareto import Point, hypervolume_history


@dataclass(frozen=True, kw_only=True)
class History:
    """What a study found, trial by trial, and what it would have cost to measure every plan itself.

    Args:
        numbers: Number of every trial; failed ones are left out.
        points: Memory saving and accuracy of every trial.
        whole: Whether each trial's plan was measured in full; if not, its accuracy is an estimate.
        feasible: Whether each trial keeps the limits.
        violations: By how much each trial misses them, see :func:`~primesvt.search.violation`.
        images: Images forwarded up to and with each trial.
        seconds: Seconds spent up to and with each trial, the sampler's own time included.
        sampling: Seconds of the sampler's own, in all trials.
        redrawn: Plans that it drew again before they were measured, in all trials.
        measures: Of every trial, its further objectives by name.
    """

    numbers: tuple[int, ...]
    points: tuple[Point, ...]
    whole: tuple[bool, ...]
    feasible: tuple[bool, ...]
    violations: tuple[float, ...]
    images: tuple[int, ...]
    seconds: tuple[float, ...]
    sampling: float = 0.0
    redrawn: int = 0
    measures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial], measures: Sequence[str] = ()) -> Self:
        """Read it off finished trials; a plan taken from another study costs what it cost there.

        Args:
            trials: The trials.
            measures: Names of measures that all of them have.
        """
        images, seconds = [0], [0.0]
        for trial in trials:
            duration = trial.duration.total_seconds() if trial.duration else 0.0
            taken_over = trial.user_attrs["seconds"] if REUSED in trial.user_attrs else 0.0
            images.append(images[-1] + trial.user_attrs["images"])
            seconds.append(seconds[-1] + duration + taken_over)
        return cls(
            numbers=tuple(t.number for t in trials),
            points=tuple((saving_of(t), accuracy_of(t)) for t in trials),
            whole=tuple(not decided_early(t) for t in trials),
            feasible=tuple(map(is_feasible, trials)),
            violations=tuple(map(violation, trials)),
            images=tuple(images[1:]),
            seconds=tuple(seconds[1:]),
            sampling=sum(t.user_attrs.get(SAMPLING, 0.0) for t in trials),
            redrawn=sum(t.user_attrs.get(REDRAWN, 0) for t in trials),
            measures={name: tuple(t.user_attrs[name] for t in trials) for name in measures},
        )

    def hypervolume(self, reference: Point, *, feasible_only: bool) -> list[float]:
        """The hypervolume after each trial, of what was measured in full."""
        # A point below the reference adds nothing, and stands for a trial that does not count.
        out = (reference[0], reference[1])
        counts = self.feasible if feasible_only else self.whole
        counted = [point if count else out for point, count in zip(self.points, counts, strict=True)]
        return hypervolume_history(counted, reference)
