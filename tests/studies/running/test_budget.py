"""What studies will cost, and how long they take."""

import pytest

from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.running import budget
from primesvt.studies.running.budget import Budget, Pace, total
from primesvt.studies.running.console import duration
from primesvt.studies.running.runner import Status
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model
from .test_runner import LAYERS, LIMITS

COMMON = {"layers": LAYERS, "constraints": LIMITS, "step": 0.25, "max_ratio": 0.75, "images": 20}
FIXED = StudySettings(**COMMON, options=PrioritizedOptions(rates=(0.25, 0.5)))


def test_a_sampler_that_ends_by_itself_gets_what_it_needs() -> None:
    known = Budget.of("mine", FIXED, None, Subject(tiny_model(), noisy_data()))
    assert known.trials == known.needed
    cost = f"{20 * known.trials} images in all"
    assert known.text == f"mine: at most {known.trials} trials of at most 20 images, {cost}; it ends by itself"


def test_one_that_is_cut_short_is_said_to_be() -> None:
    short = Budget.of("mine", FIXED, 2, Subject(tiny_model(), noisy_data()))
    assert f"It may need up to {short.needed} trials to come to its end: --trials 2 may cut it short" in short.text


def test_one_that_knows_no_end_is_never_cut_short() -> None:
    drawn = Budget.of("random", StudySettings(**COMMON, sampler="random"), 2, Subject(tiny_model(), noisy_data()))
    assert drawn.text == "random: at most 2 trials of at most 20 images, 40 images in all"
    assert total([drawn, drawn]).startswith("2 studies: at most 4 trials, 80 images;")


def test_time_follows_from_the_trials_measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    pace = Pace([Budget(study=name, trials=10, images=5) for name in "ab"])
    # Four trials were there before: they cost nothing now.
    pace.told(0, Status(4, 10, 0, None))
    assert pace.left is None
    assert pace.own(0) is None
    now[0] = 106.0
    pace.told(0, Status(6, 10, 0, None))
    assert pace.left == 3 * (4 + 10)
    assert pace.own(0) == 3 * 4
    pace.end(0)
    pace.told(1, Status(0, 10, 0, None))
    assert pace.left == 3 * 10
    assert pace.own(1) is None, "the last: it is all that is left"
    now[0] = 108.0
    pace.told(1, Status(2, 10, 0, None))
    assert pace.left == 2 * 8


def test_studies_side_by_side_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    pace = Pace([Budget(study=name, trials=10, images=5) for name in "abc"])
    for study in (0, 1):
        pace.told(study, Status(0, 10, 0, None))
    now[0] = 8.0
    for study, done in ((0, 3), (1, 1)):
        pace.told(study, Status(done, 10, 0, None))
    # A trial every two seconds, of any of the two.
    assert pace.left == 2 * (7 + 9 + 10)
    assert [pace.own(study) for study in (0, 1)] == [2 * 2 * 7, 2 * 2 * 9]
    pace.end(0)  # by itself, with fewer
    pace.told(2, Status(0, 10, 0, None))
    # Of twenty trials that are left the third one's ten take as long as all, at the pace of two processes.
    assert pace.left == 2 * 2 * 10
    assert pace.own(2) == pace.left


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.4, "3 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1 h 30 min"), (7500, "2 h 05 min")],
)
def test_durations_as_a_person_says_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
