"""Where a report comes from."""

import json
from dataclasses import replace
from typing import Any

from optuna.storages import InMemoryStorage

from primesvt.pruning import PruningPlan
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.reporting.provenance import Provenance
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model
from ..running.test_runner import LAYERS, LIMITS
from .comparisons import comparison, plan, study


def provenance(**changes: Any) -> Provenance:
    """Of two samplers."""
    settings = {
        "criterion": "l2",
        "risk": 0.0001,
        "images": None,
        "embedding": False,
        "repair": [],
        "calibration": 1000,
    }
    return replace(
        Provenance(
            versions={"primesvt": "0.1.0", "Python": "3.12"},
            command="primesvt compare demo -o result",
            written="2026-01-02T03:04:05+00:00",
            began="2026-01-01T00:00:00",
            ended="2026-01-01T01:00:00",
            model="my model",
            data=None,
            storage="sqlite:///s.db",
            seeds={"a-seed0": 0, "a-seed1": 1, "b-seed0": 0},
            settings={
                "a-seed0": {**settings, "rates": [0.2, 0.5], "constraints": {"max_drop": 3.0, "limits": {"x": 5.0}}},
                "a-seed1": settings,
                "b-seed0": {**settings, "criterion": "l1", "constraints": {"max_drop": 3.0, "limits": {}}},
            },
        ),
        **changes,
    )


def test_a_person_reads_a_setting_once_or_once_for_each_sampler() -> None:
    compared = comparison([study(s, seed, plan("", 0.5, 1.0)) for s, seed in (("a", 0), ("a", 1), ("b", 0))])
    rows = dict(provenance().rows(compared))
    assert rows["command"] == "primesvt compare demo -o result"
    assert rows["versions"] == "primesvt 0.1.0, Python 3.12"
    assert rows["seeds"] == "a: 0, 1; b: 0"
    assert rows["criterion"] == "a: l2; b: l1"
    assert (rows["risk"], rows["images"], rows["embedding"], rows["repair"]) == ("0.0001", "all", "no", "none")
    assert (rows["rates"], rows["max-drop"], rows["limits"]) == ("0.2, 0.5", "3", "a: x 5; b: none")


def test_the_command_of_a_plan_that_looks_at_images_names_them() -> None:
    shown = replace(plan("a-seed0", 0.5, 1.0), plan=PruningPlan({"stem": 0.5}, repair=("batchnorm",)))
    told = provenance(data="my data.npz")
    assert "--data" not in told.prune_command(plan("a-seed0", 0.5, 1.0))
    # `prune` repairs with all calibration images by itself, as what is reported was.
    assert "--trial 7 --data 'my data.npz' -o" in told.prune_command(shown)


def test_it_is_read_off_studies_without_passwords() -> None:
    settings = StudySettings(
        layers=LAYERS,
        constraints=LIMITS,
        step=0.25,
        max_ratio=0.75,
        options=PrioritizedOptions(rates=(0.25, 0.5)),
        seed=3,
    )
    run = run_study("mine", InMemoryStorage(), Subject(tiny_model(), noisy_data()), settings, RunOptions(trials=2))
    url = "postgresql://me:secret@host/db"
    told = Provenance.of(
        [run], command=("primesvt", "compare", "a b", "--storage", url), model="a b", data=None, storage=url
    )
    assert told.command == "primesvt compare 'a b' --storage 'postgresql://me:***@host/db'"
    assert told.storage == "postgresql://me:***@host/db"
    assert told.seeds == {"mine": 3}
    assert told.settings["mine"]["rates"] == [0.25, 0.5]
    assert told.began <= told.ended
    assert {"primesvt", "Python", "optuna", "torch"} <= told.versions.keys()
    assert "secret" not in json.dumps(told.to_json())
