"""Tables of measures: made once, kept by the study."""

from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from torch import nn

from primesvt.models import parameter_count
from primesvt.pruning import Measure
from primesvt.pruning.measures import registry
from primesvt.search import Constraints, evaluation_of
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.study_run import TABLES, StudyRun
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model

MADE: list[nn.Module] = []


def _table(model: nn.Module, tell: Any) -> Mapping[str, Any]:
    MADE.append(model)
    tell(1, 1)
    return {"factor": 2.0 + len(MADE)}


DOUBLE = Measure(
    name="joy",
    label="joy",
    unit="",
    table=_table,
    told_by=lambda table: lambda model: table["factor"] * parameter_count(model),
)


@pytest.fixture(autouse=True)
def _joy(monkeypatch: pytest.MonkeyPatch) -> None:
    MADE.clear()
    monkeypatch.setitem(registry.MEASURES._own, "joy", DOUBLE)


def run(name: str, storage: Any, trials: int, **changes: Any) -> StudyRun:
    settings = StudySettings(sampler="random", **{"objectives": ("joy",), **changes})
    told: list[tuple[str, int, int]] = []
    options = RunOptions(trials=trials, on_table=lambda *each: told.append(each))
    run = run_study(name, storage, Subject(tiny_model(), noisy_data()), settings, options)
    assert told in ([], [("joy", 1, 1)])
    return run


def test_a_study_keeps_its_table_and_others_of_the_storage_take_it() -> None:
    storage = InMemoryStorage()
    first, again, other = run("a", storage, 1), run("a", storage, 2), run("b", storage, 1, seed=1)
    assert len(MADE) == 1
    assert {each.study.user_attrs[TABLES]["joy"]["factor"] for each in (first, again, other)} == {3.0}
    for each in (again, other):
        assert each.baseline.measures["joy"] == 3.0 * parameter_count(tiny_model())
        assert all(evaluation_of(trial).measures["joy"] == trial.values[2] for trial in each.finished)


def test_a_study_without_such_a_measure_keeps_none() -> None:
    study = run("a", InMemoryStorage(), 1, objectives=()).study
    assert (TABLES in study.user_attrs, MADE) == (False, [])


def test_a_limit_is_one_of_the_samplers_problem() -> None:
    most = 2.0 * parameter_count(tiny_model())
    found = run("a", InMemoryStorage(), 2, objectives=(), constraints=Constraints(limits={"joy": most}))
    assert all(
        trial.constraints["joy"] == pytest.approx(100 * (trial.user_attrs["joy"] / most - 1))
        for trial in found.finished
    )
    assert not found.problem.keeps(found.plan(found.finished[0])) or found.finished[0].constraints["joy"] <= 0
    assert isinstance(found.study, optuna.Study)
