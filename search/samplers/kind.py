"""What a sampler is to PrimeSVT: one file of this room with a :class:`SamplerKind` in it.

A package of anybody's adds one by an entry point in the group ``primesvt.samplers``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from primesvt.models import PrimeSVTError
from primesvt.pruning import PruningPlan

from ..allocation import Cost, CostOfSaving
from ..constraints import Constraints
from ..space import SearchSpace

DEFAULT_TRIALS = 200
# What a trial's parameters are: the ratios themselves, or a memory saving and a weight for every layer.
RATIOS_SPACE, BUDGET_SPACE = "ratios", "budget"
SPACES = (BUDGET_SPACE, RATIOS_SPACE)
# What a study is told before its sampler chooses, see :mod:`primesvt.search.starts`.
NO_START, UNIFORM_START, PROBES_START, POLICY_START = "none", "uniform", "probes", "policy"
STARTS = (NO_START, UNIFORM_START, PROBES_START, POLICY_START)
# Settings and limits of every study, and what commands take beside them: no sampler has an option of that name.
RESERVED = frozenset(
    (
        "sampler", "options", "seed", "constraints", "criterion", "repair", "calibration", "measures", "objectives",
        "images", "step", "max_ratio", "embedding", "depth", "layers", "exclude_layers", "multiple", "risk", "model",
        "data", "max_drop", "min_saving", "margin", "limits", "limit", "samplers", "seeds", "trials", "studies",
        "study", "prefix", "storage", "front", "output", "cache", "json", "stop_at_target", "space", "start",
        "options_file", "options_text", "device", "precision",
    )
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a sampler is made for.

    Args:
        space: What it chooses from.
        constraints: The limits.
        saving: Fraction of the bytes that a plan saves: known exactly, without asking an image.
        kinds: Kind of every layer, by name, where it is known.
        counter: Counts the bytes of many plans faster than ``saving`` does; None where there is no such way.
        scores: From a layer to the scores of its channels by the space's criterion, float64 ``[C]``; None where they
            are not known.
        keeps: Whether a plan keeps the limits of measures beside bytes and accuracy, as far as no image is needed to
            know.
    """

    space: SearchSpace
    constraints: Constraints
    saving: Callable[[PruningPlan], float]
    kinds: Mapping[str, str] = field(default_factory=dict)
    counter: Cost | None = None
    scores: Callable[[str], np.ndarray] | None = None
    keeps: Callable[[PruningPlan], bool] = lambda _plan: True

    @property
    def cost(self) -> Cost:
        """Counts bytes, or millionths of the unpruned model's."""
        return self.counter or CostOfSaving(lambda ratios: self.saving(self.space.plan(ratios)))

    def saved(self, ratios: Mapping[str, float]) -> float:
        """Fraction of the bytes that a plan saves, as :attr:`saving`, but counted the fast way where there is one."""
        if self.counter is None:
            return self.saving(self.space.plan(ratios))
        return 1 - self.counter.bytes(ratios) / self._whole

    def meets(self, ratios: Mapping[str, float]) -> bool:
        """Whether a plan keeps the limit of memory."""
        return self.constraints.shortfall(self.saved(ratios)) <= 0

    @cached_property
    def _whole(self) -> int:
        return self.cost.bytes({})


@dataclass(frozen=True)
class NoOptions:
    """A sampler without options."""


@dataclass(frozen=True, kw_only=True)
class SamplerKind:
    """A sampler by name. Its functions get the options that a study was given, an object of the class ``options``.

    Args:
        name: As on the command line.
        summary: What it is, in a few words.
        make: Makes the sampler from a problem, options, and the seed of its random draws.
        options: A frozen dataclass whose fields are its options, with defaults, all values of JSON.
        deterministic: Whether it draws nothing at random, so that one study stands for every seed.
        ends_by_itself: Whether its studies end, with a ``result``, however many trials they may have. Where the user
            does not say, they get as many as they need: several workers also measure guesses.
        trials: How many trials it shall have where the user does not say; one worker at most, where it ends by itself.
        result: The ratios of the plan that it ended with, where it ends by itself; None while it goes on.
        leeway: Points beyond the limit of accuracy up to which its decisions need a plan measured in full.
        largest_ratio: The largest ratio that it tries.
        at_its_best: The same options, but for a comparison, where every sampler is to show all that it can.
        for_trials: The same options, with those that follow from how many trials a study shall have; asked when the
            study begins, and kept in it.
        spaces: The spaces that it can draw from, see :data:`SPACES`, the best for it first; one that chooses ratios
            itself has those alone.
        start: What a study is told before, where the user does not say, see :data:`STARTS`; a sampler that draws
            nothing is never told anything.
        removes_branches: Whether it removes residual branches where the space has some.
        earlier: Options that studies of earlier versions lack, and how those studies were run.

    Raises:
        PrimeSVTError: An option has the name of a setting that every study has.
    """

    name: str
    summary: str
    make: Callable[[Problem, Any, int], BaseSampler]
    options: type[Any] = NoOptions
    deterministic: bool = False
    ends_by_itself: bool = False
    trials: Callable[[Problem, Any], int] = lambda _problem, _options: DEFAULT_TRIALS
    result: Callable[[BaseSampler, optuna.Study], Mapping[str, float] | None] = lambda _sampler, _study: None
    leeway: Callable[[Any], float] = lambda _options: 0.0
    largest_ratio: Callable[[SearchSpace, Any], float] = lambda space, _options: space.max_ratio
    at_its_best: Callable[[Any], Any] = lambda options: options
    for_trials: Callable[[Any, int], Any] = lambda options, _trials: options
    spaces: tuple[str, ...] = (RATIOS_SPACE,)
    start: str = NO_START
    removes_branches: bool = False
    earlier: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = sorted({each.name for each in fields(self.options)} & RESERVED)
        if taken:
            raise PrimeSVTError(
                f"The sampler {self.name} cannot have an option {taken[0]!r}: every study has a setting of that name."
            )
