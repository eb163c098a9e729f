"""What defines a study, as data kept in the study itself: resuming with something else is refused."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from torch import nn

from primesvt.models import DataSet, ImageSet, PrimeSVTError, fingerprint, streams
from primesvt.pruning import (
    DEFAULT_CRITERION,
    DEFAULT_RATES,
    check_layers,
    check_rates,
    criterion,
    largest_saving,
    prunable_layers,
)
from primesvt.search import Constraints, PrioritizedPolicy, SearchSpace
from primesvt.search.samplers import PRIORITIZED, SAMPLERS

DEFAULT_RISK = 1e-4
# Settings that studies of earlier versions lack, and how those studies were run.
_ADDED_LATER: Mapping[str, Any] = {"risk": 0.0}


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """How a study searches.

    Args:
        sampler: Name of the sampler.
        seed: Of the sampler's random draws.
        constraints: The hard limits.
        criterion: Which channels of a layer go first.
        images: Search on the first so many images of the selection set; None for all.
        step: Distance of neighbouring ratios.
        max_ratio: The largest ratio.
        rates: Ratios that the prioritized sampler tries.
        slack: Points beyond the limit that its targets may lose alone.
        exhaust: Whether it goes on after the memory target is met.
        embedding: Whether the embedding width is pruned too.
        layers: Only these layers; empty for all.
        risk: Largest probability that the study rejects a plan early that keeps the limit of accuracy; 0 rejects only
            what cannot keep it any more.
    """

    sampler: str = PRIORITIZED
    seed: int = 0
    constraints: Constraints = field(default_factory=Constraints)
    criterion: str = DEFAULT_CRITERION
    images: int | None = None
    step: float = 0.05
    max_ratio: float = 0.95
    rates: tuple[float, ...] = DEFAULT_RATES
    slack: float = 0.0
    exhaust: bool = False
    embedding: bool = False
    layers: tuple[str, ...] = ()
    risk: float = DEFAULT_RISK

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise PrimeSVTError(f"Unknown sampler {self.sampler!r}; known are {', '.join(SAMPLERS)}.")
        if self.seed < 0:
            raise PrimeSVTError(f"seed must be at least 0, got {self.seed}.")
        if not 0 <= self.risk < 1:
            raise PrimeSVTError(f"risk is a probability, at least 0 and below 1, got {self.risk}.")
        criterion(self.criterion)
        check_rates(self.rates)

    def space(self, model: nn.Module) -> SearchSpace:
        """What there is to choose for a model, the largest layer first.

        Raises:
            PrimeSVTError: A layer does not exist.
        """
        check_layers(model, self.layers)
        wanted = set(self.layers)
        layers = prunable_layers(model, embedding=self.embedding or bool(wanted & streams(model)))
        names = tuple(layer.name for layer in layers if not wanted or layer.name in wanted)
        return SearchSpace(layers=names, step=self.step, max_ratio=self.max_ratio, criterion=self.criterion)

    def policy(self, space: SearchSpace) -> PrioritizedPolicy:
        """The rules of the prioritized sampler."""
        return PrioritizedPolicy(
            layers=space.layers, rates=check_rates(self.rates), slack=self.slack, exhaust=self.exhaust
        )

    @property
    def leeway(self) -> float:
        """Points beyond the limit of accuracy up to which the sampler's decisions need a plan measured in full."""
        return max(self.slack, 0.0) if self.sampler == PRIORITIZED else 0.0

    def selection(self, data: DataSet) -> ImageSet:
        """The images that the search looks at."""
        return data.selection.first(self.images)

    def check_reachable(self, model: nn.Module, space: SearchSpace) -> None:
        """Refuse a memory target that no plan of the space meets.

        Raises:
            PrimeSVTError: Saying what is reachable.
        """
        most = max(self.rates) if self.sampler == PRIORITIZED else space.max_ratio
        reachable = largest_saving(model, space.layers, most)
        if reachable < self.constraints.min_saving:
            floor = math.floor(reachable * 1e4) / 1e4  # what is said to be reachable must be
            more = "" if streams(model) & set(space.layers) else ", or add --embedding"
            raise PrimeSVTError(
                f"min-saving {self.constraints.min_saving:g} cannot be reached: with every layer pruned by "
                f"{most:g} this model saves {floor:.4f} of its bytes. Ask for at most that{more}."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain data, to be compared with what a study holds."""
        return {**asdict(self), "rates": list(self.rates), "layers": list(self.layers)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote; what else a study holds is passed over."""
        data = {**_ADDED_LATER, **data}
        values = {f.name: data[f.name] for f in fields(cls)}
        return cls(
            **{
                **values,
                "constraints": Constraints(**data["constraints"]),
                "rates": tuple(data["rates"]),
                "layers": tuple(data["layers"]),
            }
        )


def study_identity(settings: StudySettings, model: nn.Module, images: ImageSet) -> dict[str, Any]:
    """All that must be the same when a study goes on."""
    return {**settings.to_json(), "model": fingerprint(model), "data": images.fingerprint}


def check_identity(study_name: str, stored: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with a study that was started with something else.

    A setting that a study lacks, because an earlier version made it, may be anything: what it has measured in full is
    right under any risk.

    Raises:
        PrimeSVTError: Naming what differs.
    """
    if stored is None:
        raise PrimeSVTError(f"The study {study_name!r} exists, but was not made by PrimeSVT; choose another name.")
    before, now = {**{name: wanted[name] for name in _ADDED_LATER}, **_flat(stored)}, _flat(wanted)
    differing = [
        name if name in ("model", "data") else f"{name.replace('_', '-')} ({before.get(name)!r}, now {now[name]!r})"
        for name in now
        if before.get(name) != now[name]
    ]
    if differing:
        raise PrimeSVTError(
            f"The study {study_name!r} was started with another {', '.join(differing)}. Give the same options to go "
            "on, or begin a new one: another --study in a search, another -o or --prefix in a comparison."
        )


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """All on one level: a limit is named as its option is."""
    return {**{k: v for k, v in identity.items() if k != "constraints"}, **identity.get("constraints", {})}
