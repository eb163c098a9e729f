"""Values that look as if another unit was meant."""

from argparse import Namespace

import pytest

from primesvt.studies.doubts import doubts


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_drop": 0.03}, "--max-drop is in percentage points: 0.03 means 0.03 of 100 points. For 3 points give 3."),
        (
            {"margin": 0.005},
            "--margin is in percentage points: 0.005 means 0.005 of 100 points. For 0.5 points give 0.5.",
        ),
        ({"mean": (127.5,)}, "--mean is of images in [0, 1]: of pixels from 0 to 255 give 0.5 instead."),
        ({"std": (51.0, 102.0)}, "--std is of images in [0, 1]: of pixels from 0 to 255 give 0.2,0.4 instead."),
    ],
)
def test_what_is_doubted(options: dict[str, object], said: str) -> None:
    assert list(doubts(Namespace(**options))) == [said]


@pytest.mark.parametrize(
    "options",
    [{}, {"max_drop": 0.1}, {"max_drop": 0}, {"margin": None}, {"mean": (0.5,), "std": (1.0,)}, {"mean": None}],
)
def test_what_is_not(options: dict[str, object]) -> None:
    assert list(doubts(Namespace(**options))) == []
