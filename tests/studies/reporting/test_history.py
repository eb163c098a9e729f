"""The history of a study against hand arithmetic."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from primesvt.search import REUSED
from primesvt.search.objective import DECIDED_EARLY
from primesvt.studies.reporting.history import History
from primesvt.studies.reporting.pareto import hypervolume


def trial(saving: float, accuracy: float, *, excess: float = 0.0, seconds: float = 2.0, **attrs: Any) -> FrozenTrial:
    """A finished trial that took so many seconds, and misses the limit of accuracy by so many points."""
    user: Mapping[str, Any] = {"images": 100, "seconds": 1.5, **attrs}
    made = optuna.create_trial(
        state=TrialState.COMPLETE, values=[saving, accuracy], user_attrs=dict(user), constraints={"drop": excess}
    )
    made.datetime_start = datetime(2026, 1, 1)
    made.datetime_complete = made.datetime_start + timedelta(seconds=seconds)
    return made


TRIALS = (
    trial(0.3, 0.2, excess=40.0, images=64, **{DECIDED_EARLY: "exact"}),
    trial(0.2, 0.9),
    trial(0.5, 0.8, excess=5.0),
    trial(0.4, 0.85, seconds=0.1, **{REUSED: "trial 3 of another"}),
)


def test_costs_add_up_and_a_plan_taken_over_costs_what_it_did_there() -> None:
    history = History.of(TRIALS)
    assert history.images == (64, 164, 264, 364)
    assert [round(s, 6) for s in history.seconds] == [2.0, 4.0, 6.0, 7.6]


def test_what_was_decided_early_is_no_point_of_the_hypervolume() -> None:
    history = History.of(TRIALS)
    assert history.whole == (False, True, True, True)
    expected = [0.0, 0.18, hypervolume([(0.2, 0.9), (0.5, 0.8)], (0, 0))]
    found = history.hypervolume((0.0, 0.0), feasible_only=False)
    assert [round(v, 9) for v in found[:3]] == [round(v, 9) for v in expected]


def test_within_the_limits_only_what_keeps_them_counts() -> None:
    history = History.of(TRIALS)
    assert history.feasible == (False, True, False, True)
    found = history.hypervolume((0.1, 0.8), feasible_only=True)
    assert [round(v, 9) for v in found] == [0.0, 0.01, 0.01, round(0.1 * 0.1 + 0.2 * 0.05, 9)]


def test_nothing_finished_is_no_curve() -> None:
    assert History.of(()).hypervolume((0.0, 0.0), feasible_only=False) == []
