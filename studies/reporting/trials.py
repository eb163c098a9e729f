"""Every trial of a comparison as a table for other programs: comma-separated values, one row a trial."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from primesvt.search import DIVERGENCE, PHASE, REUSED, accuracy_of, decided_early, is_feasible, saving_of, violation

from ..running.study_run import StudyRun

_COLUMNS = (
    "study", "sampler", "seed", "trial", "memory_saving", "bytes", "accuracy", "points_lost", "images", "feasible",
    "violation", "decided_early", "reused", "divergence", "phase", "seconds", "began", "ended",
)  # fmt: skip


def trials_csv(runs: Sequence[StudyRun]) -> str:
    """The finished trials of some studies; after the columns of every study, its measures and the layers' ratios.

    Args:
        runs: The studies, of one model.
    """
    columns, rows = trial_rows(runs)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def trial_rows(runs: Sequence[StudyRun]) -> tuple[list[str], list[dict[str, Any]]]:
    """The same as columns and rows; a row lacks the layers that its study had not.

    Args:
        runs: The studies, of one model.
    """
    measures = list(dict.fromkeys(measure.name for run in runs for measure in run.settings.all_measures))
    layers = list(dict.fromkeys(layer for run in runs for layer in run.space.layers))
    rows = [
        {
            **_row(run, trial),
            **{name: trial.user_attrs.get(name, "") for name in measures},
            **dict.fromkeys(run.space.layers, 0.0),
            **run.plan(trial).ratios,
        }
        for run in runs
        for trial in run.finished
    ]
    return [*_COLUMNS, *measures, *layers], rows


def _row(run: StudyRun, trial: FrozenTrial) -> dict[str, Any]:
    attrs = trial.user_attrs
    return {
        "study": run.study.study_name,
        "sampler": run.settings.sampler,
        "seed": run.settings.seed,
        "trial": trial.number,
        "memory_saving": saving_of(trial),
        "bytes": attrs["bytes"],
        "accuracy": accuracy_of(trial),
        "points_lost": attrs["accuracy_drop"],
        "images": attrs["images"],
        "feasible": is_feasible(trial),
        "violation": violation(trial),
        "decided_early": decided_early(trial),
        "reused": attrs.get(REUSED, ""),
        "divergence": attrs.get(DIVERGENCE, ""),
        "phase": attrs.get(PHASE, ""),
        "seconds": attrs["seconds"],
        "began": trial.datetime_start.isoformat() if trial.datetime_start else "",
        "ended": trial.datetime_complete.isoformat() if trial.datetime_complete else "",
    }
