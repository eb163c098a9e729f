"""Notes and figures in the storage."""

import json

import optuna
import pytest
from optuna.storages import InMemoryStorage

from primesvt.studies.dashboard.saved import is_ours, save, signed

from .studies import TRIALS, study

optuna_dashboard = pytest.importorskip("optuna_dashboard")


def figures(study: optuna.Study) -> dict[str, str]:
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects  # as the dashboard itself reads them

    attrs = study._storage.get_study_system_attrs(study._study_id)
    return {name: json.loads(text)["layout"]["title"]["text"] for name, text in get_plotly_graph_objects(attrs).items()}


def test_a_study_gets_its_note_and_figures_once() -> None:
    storage = InMemoryStorage()
    mine = study(storage)
    assert save(mine, "s.db")
    assert optuna_dashboard.get_note(mine).startswith("**So far trial 3")
    titles = figures(mine)
    assert set(titles) == {"primesvt-layers", "primesvt-front", "primesvt-robustness"}
    assert titles["primesvt-layers"].startswith("Trial 3, the best so far")
    assert not save(mine, "s.db"), "nothing new was measured"


def test_they_follow_the_study_and_shrink_with_it() -> None:
    storage = InMemoryStorage()
    mine = study(storage, trials=TRIALS[:1])
    save(mine, "s.db")
    assert optuna_dashboard.get_note(mine).startswith("**No plan keeps the limits so far.**")
    other = study(InMemoryStorage(), trials=TRIALS)
    mine.add_trial(other.trials[2])
    assert save(mine, "s.db")
    assert optuna_dashboard.get_note(mine).startswith("**So far trial 1")
    assert figures(mine)["primesvt-layers"].startswith("Trial 1")


def test_what_a_person_wrote_stays() -> None:
    mine = study(InMemoryStorage(), trials=TRIALS[:1])
    save(mine, "s.db")
    edited = "Ask Ann.\n" + optuna_dashboard.get_note(mine)
    optuna_dashboard.save_note(mine, edited)
    mine.add_trial(study(InMemoryStorage()).trials[2])
    assert save(mine, "s.db")
    assert optuna_dashboard.get_note(mine) == edited
    assert figures(mine)["primesvt-layers"].startswith("Trial 1")


def test_a_signature_is_of_the_text() -> None:
    assert is_ours(signed("text"))
    assert not is_ours(signed("text").replace("text", "other"))
    assert not is_ours("text")


def test_a_study_of_somebody_else_is_left_alone() -> None:
    theirs = optuna.create_study()
    assert not save(theirs, "s.db")
    assert optuna_dashboard.get_note(theirs) == ""
