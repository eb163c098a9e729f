"""Expected running time, by hand and against sampling with restarts."""

import math

import numpy as np
import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.reporting.running_time import Effort, RunningTime


def test_the_effort_of_a_study_ends_with_its_first_plan() -> None:
    course = ([10, 30, 60], [1.0, 2.0, 4.0])
    assert Effort.of([False, True, True], *course) == Effort(found=True, trials=2, images=30, seconds=2.0)
    assert Effort.of([False, False, False], *course) == Effort(found=False, trials=3, images=60, seconds=4.0)


def test_studies_that_found_nothing_are_paid_for() -> None:
    lucky = Effort(found=True, trials=2, images=30, seconds=2.0)
    unlucky = Effort(found=False, trials=40, images=600, seconds=50.0)
    running = RunningTime(efforts=(lucky, unlucky, unlucky))
    # All that was spent, over the one success; the mean of the lucky ones would be 2.
    assert (running.trials, running.images, running.seconds) == (82, 1230, 102)
    assert running.to_json() == {"studies": 3, "found": 1, "trials": 82, "images": 1230, "seconds": 102}
    assert RunningTime(efforts=(lucky, lucky)).trials == 2


def test_without_success_it_is_infinite() -> None:
    running = RunningTime(efforts=(Effort(found=False, trials=40, images=600, seconds=50.0),))
    assert running.trials == running.images == running.seconds == math.inf
    assert running.spent_trials == 40
    assert running.to_json() == {"studies": 1, "found": 0, "trials": None, "images": None, "seconds": None}


def test_it_is_what_starting_anew_costs() -> None:
    # Every trial succeeds with probability 0.05; a study is cut off after 10. Starting anew, the mean is 20.
    rng = np.random.default_rng(0)
    first = rng.geometric(0.05, size=4000)
    efforts = tuple(Effort(found=bool(n <= 10), trials=int(min(n, 10)), images=0, seconds=0.0) for n in first)
    running = RunningTime(efforts=efforts)
    assert running.trials == pytest.approx(20, rel=0.05)
    assert np.mean([effort.trials for effort in efforts if effort.found]) < 6


def test_a_study_without_a_trial_is_refused() -> None:
    with pytest.raises(PrimeSVTError, match="without a finished trial has no effort"):
        Effort.of([], [], [])
