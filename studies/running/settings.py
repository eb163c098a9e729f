"""What defines a study, as data kept in the study itself: resuming with something else is refused."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self

from primesvt.models import CPU, Backend, DataSet, ImageSet, Precision, PrimeSVTError
from primesvt.models.families.config import MAX_WIDTH
from primesvt.models.options import check_options, option
from primesvt.pruning import (
    CRITERIA,
    DEFAULT_CALIBRATION,
    DEFAULT_CRITERION,
    MEASURES,
    MOST_CALIBRATION,
    STEPS,
    Calibration,
    Measure,
    criterion,
    measure_named,
    needs_calibration,
    repair_steps,
    step_names,
)
from primesvt.search import Constraints, Goals
from primesvt.search.samplers import (
    BUDGET_SPACE,
    NO_START,
    PRIORITIZED,
    PROBES_START,
    RATIOS_SPACE,
    SAMPLERS,
    SPACES,
    STARTS,
    SamplerKind,
    sampler_kind,
)

DEFAULT_RISK = 1e-4
# Settings that studies of earlier versions lack, and how those studies were run.
EARLIER: Mapping[str, Any] = {
    "risk": 0.0,
    "repair": (),
    "exclude_layers": (),
    "multiple": 1,
    "depth": False,
    "calibration": DEFAULT_CALIBRATION,
    "measures": (),
    "objectives": (),
    "space": RATIOS_SPACE,
    "start": NO_START,
    "device": CPU.type,
    "precision": "float32",
}
# What some measures have to know of the unpruned model first, by their names.
Tables = Mapping[str, Mapping[str, Any]]
_LISTS = ("layers", "exclude_layers", "repair", "measures", "objectives")
# Samplers that remove whole branches.
_REMOVING = ", ".join(name for name, kind in SAMPLERS.items() if kind.removes_branches)


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """How a study searches.

    Args:
        sampler: Name of the sampler.
        options: Of the sampler, an object of its kind's class of options; its defaults where it is None.
        seed: Of the sampler's random draws.
        constraints: The hard limits.
        device: Class of the device on which plans are measured and repaired, ``cpu`` or ``cuda``: what runs a study
            says it.

    The other fields are options, and say what they are.

    Raises:
        PrimeSVTError: A value is not allowed.
    """

    sampler: str = PRIORITIZED.name
    options: Any = None
    seed: int = 0
    constraints: Constraints = field(default_factory=Constraints)
    device: str = CPU.type
    criterion: str = option(
        DEFAULT_CRITERION,
        help=f"which channels of a layer go first: {', '.join(CRITERIA)}; the paper's have the smallest L2 norm",
        metavar="NAME",
    )
    repair: tuple[str, ...] = option(
        (),
        help=f"steps that repair a pruned model from calibration images, in their order: {', '.join(STEPS)}",
        metavar="A,B,...",
        read=step_names,
    )
    calibration: int = option(
        DEFAULT_CALIBRATION,
        help="calibration images that criteria and repair steps may look at while plans are searched; what is reported "
        f"is repaired with up to {MOST_CALIBRATION:,}",
        metavar="N",
        least=1,
        most=MOST_CALIBRATION,
    )
    measures: tuple[str, ...] = option(
        (),
        help=f"further numbers to take of every plan, shown beside accuracy and bytes: {', '.join(MEASURES)}",
        metavar="A,B,...",
    )
    objectives: tuple[str, ...] = option(
        (), help="measures to keep as small as possible, beside memory saving and accuracy", metavar="A,B,..."
    )
    images: int | None = option(None, help="look at the first N selection images only", metavar="N", least=1)
    step: float = option(0.05, help="distance of neighbouring ratios", metavar="RATIO")
    max_ratio: float = option(0.95, help="the largest ratio", metavar="RATIO")
    embedding: bool = option(False, help="the embedding width may be pruned, too")
    depth: bool = option(False, help=f"the attention or MLP of a block may be removed as a whole, too ({_REMOVING})")
    layers: tuple[str, ...] = option(
        (), help="prune only these layers, by names or patterns such as blocks.*.hidden", metavar="A,B,..."
    )
    exclude_layers: tuple[str, ...] = option(
        (), help="leave these layers as they are, by names or patterns (default: none)", metavar="A,B,..."
    )
    multiple: int = option(
        1,
        help="layers that lose channels keep a multiple of N, in every head where there are heads; one with less than "
        "N keeps what it has",
        metavar="N",
        least=1,
        most=MAX_WIDTH,
    )
    space: str | None = option(
        None,
        help="what a trial draws: a ratio for every layer, or budget: a memory saving and a weight for every layer, "
        "which are made a plan that saves just that",
        choices=SPACES,
    )
    start: str | None = option(
        None,
        help="what a study is told first: none; or, after the unpruned plan, uniform: one ratio everywhere, at some "
        "levels; probes: the largest layers alone; policy: the plan with which a study of prioritized in the same "
        "storage ended",
        choices=STARTS,
    )
    risk: float = option(
        DEFAULT_RISK,
        help="measuring a plan stops as soon as it very surely misses --max-drop; this is the probability that a study "
        "rejects any plan wrongly; 0 stops only where the limit cannot be kept any more",
        metavar="PROBABILITY",
        meaning="a probability",
        least=0,
        below=1,
    )

    precision: Precision = option(
        "float32",
        help="in which models are asked, of convolutions and matrix products; repair computes in float32 either way",
    )

    def __post_init__(self) -> None:
        kind = sampler_kind(self.sampler)
        if self.options is None:
            object.__setattr__(self, "options", kind.options())
        if not isinstance(self.options, kind.options):
            raise PrimeSVTError(
                f"The options of {self.sampler} are {kind.options.__name__}, got {type(self.options).__name__}."
            )
        if self.seed < 0:
            raise PrimeSVTError(f"seed must be at least 0, got {self.seed}.")
        check_options(self)
        self._check_kind()
        criterion(self.criterion)
        repair_steps(self.repair)
        for name in (*self.measures, *self.objectives, *self.constraints.limits):
            measure_named(name)

    def _check_kind(self) -> None:
        """Refuse what the sampler cannot do."""
        if self.chosen_space not in self.kind.spaces:
            raise PrimeSVTError(
                f"{self.sampler} chooses ratios itself: it cannot search --space {self.space}; leave that out."
            )
        if self.kind.deterministic and self.chosen_start != NO_START:
            raise PrimeSVTError(
                f"{self.sampler} has a course of its own and learns from no --start {self.start}; leave that out."
            )
        if (self.chosen_space, self.chosen_start) == (BUDGET_SPACE, PROBES_START):
            raise PrimeSVTError(
                "--start probes needs --space ratios: a layer alone saves less than every plan of a budget."
            )
        if self.depth and not self.kind.removes_branches:
            raise PrimeSVTError(f"{self.sampler} removes no whole branches: leave --depth out, or take {_REMOVING}.")

    @property
    def chosen_space(self) -> str:
        """What its trials draw."""
        return self.space or self.kind.spaces[0]

    @property
    def chosen_start(self) -> str:
        """What it is told before its sampler chooses."""
        return self.start or self.kind.start

    @property
    def kind(self) -> SamplerKind:
        """The sampler that it names."""
        return sampler_kind(self.sampler)

    @cached_property
    def goals(self) -> Goals:
        """What the study optimizes."""
        return Goals.of([measure_named(name) for name in self.objectives])

    @property
    def all_measures(self) -> tuple[Measure, ...]:
        """Everything to be measured beside accuracy and bytes: columns, objectives and limits."""
        names = (*self.measures, *self.objectives, *self.constraints.limits)
        return tuple(measure_named(name) for name in dict.fromkeys(names))

    @property
    def needs_tables(self) -> bool:
        """Whether something is timed before the first trial, such as for a predicted latency."""
        return any(measure.needs_table for measure in self.all_measures)

    def measures_knowing(self, tables: Tables) -> tuple[Measure, ...]:
        """The same, those that need a table with theirs."""
        return tuple(
            measure.knowing(tables[measure.name]) if measure.needs_table else measure for measure in self.all_measures
        )

    def as_begun(self, stored: Mapping[str, Any] | None) -> Self:
        """The same settings for going on with a study: what is not said is as it began.

        Args:
            stored: What the study holds; that of an earlier version lacks some options. None where it holds nothing
                yet: then it begins as is best for its sampler.
        """
        if stored is None or stored.get("sampler") != self.sampler:
            return replace(self, space=self.chosen_space, start=self.chosen_start)
        before, own = {**EARLIER, **stored}, asdict(self.options)
        unsaid = {name: _tuples(stored[name]) for name in own if own[name] is None and name in stored}
        missing = {name: value for name, value in self.kind.earlier.items() if name not in stored}
        options = replace(self.options, **unsaid, **missing)
        space, start = self.space or before["space"], self.start or before["start"]
        return replace(self, space=space, start=start, options=options)

    def as_said(self) -> Self:
        """The same settings in as few words as they can be said in: without what is the best for the sampler anyway."""
        space = None if self.space == self.kind.spaces[0] else self.space
        return replace(self, space=space, start=None if self.start == self.kind.start else self.start)

    def for_trials(self, trials: int) -> Self:
        """The same settings, with what follows from how many trials a study that begins shall have."""
        return replace(self, options=self.kind.for_trials(self.options, trials))

    def on(self, backend: Backend) -> Self:
        """The same settings for a study that is run there."""
        return replace(self, device=backend.kind, precision=backend.precision)

    def selection(self, data: DataSet) -> ImageSet:
        """The images that the search looks at."""
        return data.selection.first(self.images)

    def calibration_of(self, data: DataSet) -> Calibration | None:
        """The images that criteria and repair steps look at; None where the data has none, and nothing looks at any.

        Raises:
            PrimeSVTError: The data has none, but the criterion or a repair step needs some.
        """
        needed = needs_calibration(self.criterion, self.repair)
        return Calibration(data.calibration, self.calibration) if needed or len(data.calibration) else None

    def to_json(self) -> dict[str, Any]:
        """Plain data, to be compared with what a study holds; the sampler's options stand beside the settings."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("options", "constraints")}
        own |= {"space": self.chosen_space, "start": self.chosen_start}
        values = {**own, **asdict(self.options), "constraints": self.constraints.to_json()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote; what else a study holds is passed over."""
        data = {**EARLIER, **data}
        kind = sampler_kind(data["sampler"])
        values = {f.name: data[f.name] for f in fields(cls) if f.name not in ("options", "constraints")}
        lists = {name: tuple(values[name]) for name in _LISTS}
        told = {**kind.earlier, **data}
        options = {f.name: _tuples(told[f.name]) for f in fields(kind.options) if f.name in told}
        constraints = Constraints.from_json(data["constraints"])
        return cls(**{**values, **lists, "constraints": constraints, "options": kind.options(**options)})


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
