"""The dashboard's answers, as a browser gets them."""

import json
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.storages import InMemoryStorage

from primesvt.studies.dashboard.app import Dashboard

from .studies import study

optuna_dashboard = pytest.importorskip("optuna_dashboard")


class Browser:
    def __init__(self, storage: InMemoryStorage) -> None:
        self.app = Dashboard(storage, "postgresql://me:secret@host/db", optuna_dashboard.wsgi(storage))

    def get(self, path: str, query: str = "") -> tuple[str, Any]:
        environment: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
        setup_testing_defaults(environment)
        said: list[str] = []
        body: Iterable[bytes] = self.app(environment, lambda status, headers, *_: said.append(status))
        text = b"".join(body)
        return said[0], json.loads(text) if path.startswith("/api") else text


@pytest.fixture
def browser() -> Browser:
    storage = InMemoryStorage()
    study(storage)
    theirs = optuna.create_study(study_name="theirs", storage=storage)
    theirs.set_user_attr("settings", "of theirs")
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    return Browser(storage)


def test_no_plan_that_misses_the_limits_is_a_best_trial(browser: Browser) -> None:
    _, answer = browser.get("/api/studies/0")
    # Trial 4 saves more than any that keeps the limits, and 2 is beaten by 3.
    assert [trial["number"] for trial in answer["best_trials"]] == [3]
    assert [all(value <= 0 for value in trial["constraints"]) for trial in answer["trials"]] == [
        False, False, True, True, False,
    ]  # fmt: skip


def test_machine_data_is_left_out_and_words_are_there(browser: Browser) -> None:
    _, answer = browser.get("/api/studies/0")
    assert answer["note"]["body"].startswith("**So far trial 3")
    assert "secret" not in answer["note"]["body"]
    assert {attr["key"] for attr in answer["user_attrs"]} == {"limits", "sampler"}
    told = {attr["key"] for trial in answer["trials"] for attr in trial["user_attrs"]}
    assert "accuracy_drop" in told
    assert not told & {"key", "evaluation"}
    assert not {column["key"] for column in answer["union_user_attrs"]} & {"key", "evaluation"}
    assert answer["trials"][2]["note"]["body"].startswith("**Limits kept.**")
    assert len(answer["plotly_graph_objects"]) == 3
    _, every = browser.get("/api/studies")
    mine, theirs = every["study_summaries"]
    assert mine["user_attrs"] == []
    assert theirs["user_attrs"] == [{"key": "settings", "value": "of theirs"}]


def test_a_browser_that_knows_the_first_trials_gets_the_others_and_the_best_of_all(browser: Browser) -> None:
    _, answer = browser.get("/api/studies/0", "after=4")
    assert [trial["number"] for trial in answer["trials"]] == [4]
    assert [trial["number"] for trial in answer["best_trials"]] == [3]


def test_the_storage_keeps_what_resuming_reads(browser: Browser) -> None:
    browser.app.save_all()
    mine = optuna.load_study(study_name="mine", storage=browser.app.storage)
    assert {"settings", "baseline", "baseline_right"} <= mine.user_attrs.keys()
    assert all("constraints" not in trial.system_attrs for trial in mine.trials)
    assert optuna_dashboard.get_note(mine).startswith("**So far trial 3")


def test_studies_of_others_and_pages_are_passed_on(browser: Browser) -> None:
    _, answer = browser.get("/api/studies/1")
    assert [trial["number"] for trial in answer["best_trials"]] == [0]
    assert answer["user_attrs"] == [{"key": "settings", "value": "of theirs"}]
    status, _ = browser.get("/api/studies/99")
    assert status.startswith("404")
    status, page = browser.get("/dashboard")
    assert status.startswith("200")
    assert b"<html" in page
