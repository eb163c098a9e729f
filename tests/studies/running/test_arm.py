"""What a comparison runs: every arm with every seed."""

from dataclasses import replace

import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.running.arm import Arm, studies_of
from primesvt.studies.running.settings import StudySettings

FIXED = Arm("mine", StudySettings(seed=5), trials=7)
DRAWN = Arm("random", StudySettings(sampler="random", seed=5))


def test_one_that_draws_nothing_stands_for_all_seeds() -> None:
    first, *rest = studies_of([FIXED, DRAWN], seeds=2, prefix="x-")
    assert first == replace(FIXED, name="x-mine-seed5")
    assert rest == [
        replace(DRAWN, name=f"x-random-seed{seed}", settings=replace(DRAWN.settings, seed=seed)) for seed in (5, 6)
    ]


@pytest.mark.parametrize(("arms", "seeds"), [([], 1), ([DRAWN], 0)])
def test_nothing_to_run_is_refused(arms: list[Arm], seeds: int) -> None:
    with pytest.raises(PrimeSVTError, match="at least one sampler and one seed"):
        studies_of(arms, seeds)
