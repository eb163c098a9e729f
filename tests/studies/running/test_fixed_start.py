"""Real small studies that are told something before their sampler chooses."""

from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from primesvt.models import PrimeSVTError
from primesvt.search import REUSED, START, ratios_of

from .test_runner import final, run

POLICY: dict[str, Any] = {"name": "policy", "probe_first": False}


@pytest.mark.parametrize("space", ["ratios", "budget"])
def test_the_policys_plan_is_taken_with_its_evaluation(space: str) -> None:
    storage = InMemoryStorage()
    plan = final(run(storage, **POLICY))
    assert plan
    told = run(storage, sampler="random", start="policy", space=space, trials=3)
    assert told.study.user_attrs[START] == ([{}] if space == "ratios" else []) + [plan]
    at = 1 if space == "ratios" else 0
    assert {layer: ratio for layer, ratio in ratios_of(told.finished[at]).items() if ratio} == plan
    assert told.plan(told.finished[at]).ratios == plan
    assert "policy" in told.finished[at].user_attrs[REUSED]
    assert told.finished[at].user_attrs["phase"] == "start"
    assert told.finished[2].user_attrs["phase"] == "search"


def test_without_a_policy_that_ended_it_is_refused() -> None:
    storage = InMemoryStorage()
    run(storage, name="policy", trials=1)
    with pytest.raises(PrimeSVTError, match="--start policy needs a study of prioritized in the same storage"):
        run(storage, sampler="random", start="policy", trials=3)


def test_more_trials_later_change_no_start() -> None:
    storage = InMemoryStorage()
    first = run(storage, sampler="nsga2", space="ratios", start="uniform", trials=4)
    begun = first.study.user_attrs[START]
    assert len(begun) == 2
    again = run(storage, sampler="nsga2", trials=40)
    assert again.study.user_attrs[START] == begun
    assert again.settings.options.population == 8
    assert [t.user_attrs.get(START) for t in again.finished][:3] == [0, 1, None]


def test_a_study_that_was_begun_without_is_told_nothing_later() -> None:
    storage = InMemoryStorage()
    assert START not in run(storage, sampler="random", trials=1).study.user_attrs
    with pytest.raises(PrimeSVTError, match="another start"):
        run(storage, sampler="random", start="uniform", trials=2)
