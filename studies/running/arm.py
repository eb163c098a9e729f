"""What a comparison runs: ways to search, each with several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from primesvt.models import PrimeSVTError

from .settings import StudySettings


@dataclass(frozen=True)
class Arm:
    """One way to search, which is run with several seeds.

    Args:
        name: Begins the names of its studies.
        settings: How it searches; the seed is the first one.
        trials: Trials of each study in all; None for as many as the sampler needs.
    """

    name: str
    settings: StudySettings
    trials: int | None = None


def studies_of(arms: Sequence[Arm], seeds: int, prefix: str = "") -> list[Arm]:
    """Every arm with every seed, by its study's whole name; one whose sampler draws nothing at random stands for all.

    Args:
        arms: What to run.
        seeds: How many seeds, from that of the settings on.
        prefix: Begins the studies' names.

    Raises:
        PrimeSVTError: There is nothing to run.
    """
    if not arms or seeds < 1:
        raise PrimeSVTError("There must be at least one sampler and one seed.")
    return [
        replace(arm, name=f"{prefix}{arm.name}-seed{seed}", settings=replace(arm.settings, seed=seed))
        for arm in arms
        for seed in range(arm.settings.seed, arm.settings.seed + (1 if arm.settings.kind.deterministic else seeds))
    ]
