"""Every trial as comma-separated values."""

import csv
import io

import pytest
from optuna.storages import InMemoryStorage

from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.reporting.trials import trials_csv
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import tiny_model
from ..running.test_runner import LAYERS, LIMITS


def test_every_finished_trial_is_a_row_with_its_ratios() -> None:
    common = {"layers": LAYERS, "constraints": LIMITS, "step": 0.25, "max_ratio": 0.75}
    storage, subject = InMemoryStorage(), Subject(tiny_model(), noisy_data())
    fixed = StudySettings(**common, options=PrioritizedOptions(rates=(0.25, 0.5)))
    drawn = StudySettings(**common, sampler="random", seed=4)
    runs = [
        run_study("mine", storage, subject, fixed),
        run_study("drawn", storage, subject, drawn, RunOptions(trials=2)),
    ]
    rows = list(csv.DictReader(io.StringIO(trials_csv(runs))))
    assert [row["study"] for row in rows] == ["mine"] * len(runs[0].finished) + ["drawn"] * 2
    trials = [(run, trial) for run in runs for trial in run.finished]
    for row, (own, trial) in zip(rows, trials, strict=True):
        assert (int(row["trial"]), float(row["memory_saving"])) == (trial.number, trial.values[0])
        assert (float(row["points_lost"]), row["feasible"]) == (
            trial.user_attrs["accuracy_drop"], str(trial in own.feasible),
        )  # fmt: skip
        ratios = {layer: float(row[layer]) for layer in LAYERS}
        assert {layer: ratio for layer, ratio in ratios.items() if ratio} == pytest.approx(dict(own.plan(trial).ratios))
    assert rows[-1]["seed"] == "4"
