"""Studies that version 0.1 began go on with the trials that it would have made: recorded with it, journal and all.

`version_0_1/` holds the model, a journal with three studies that were stopped early, and the plans of the same three
run to their end by that version.
"""

import argparse
import json
import shutil
from pathlib import Path

import optuna
import pytest
from optuna.storages import InMemoryStorage

from primesvt.models import load_model
from primesvt.search import Constraints
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.commands import compare
from primesvt.studies.commands.arms import arms, at_its_best
from primesvt.studies.running.arm import studies_of
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.several import run_studies
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.subject import Subject

from ...conftest import noisy_data
from ...search.models import counted
from ...search.synthetic import plans

RECORDED = Path(__file__).parent / "version_0_1"
TRIALS: dict[str, list[dict[str, float]]] = json.loads((RECORDED / "trials.json").read_text())


@pytest.mark.parametrize(("sampler", "begun"), [("prioritized", 4), ("random", 3), ("tpe", 12)])
def test_a_study_goes_on_with_the_same_trials(sampler: str, begun: int, tmp_path: Path) -> None:
    journal = tmp_path / "studies.journal"
    shutil.copy(RECORDED / "studies.journal", journal)
    settings = StudySettings(
        sampler=sampler,
        options=PrioritizedOptions(rates=(0.25, 0.5)) if sampler == "prioritized" else None,
        layers=("stem.3", "blocks.0.hidden", "blocks.0.output"),
        step=0.25,
        max_ratio=0.75,
        constraints=Constraints(max_drop=12, min_saving=0.2),
    )
    expected = TRIALS[sampler]
    subject, storage = Subject(load_model(RECORDED / "model"), noisy_data()), open_storage(str(journal))
    with counted() as seen:
        run = run_study(sampler, storage, subject, settings, RunOptions(trials=len(expected)))
    assert plans(run.study) == expected
    assert len(seen) <= len(expected) - begun, "what was measured then is not measured again"
    assert run.over == (sampler == "prioritized")
    again = run_study(sampler, storage, subject, settings, RunOptions(trials=len(expected)))
    assert plans(again.study) == expected, "and once more by the same command"


def test_a_comparison_goes_on_with_the_same_trials_by_the_same_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its policy stopped at the memory target; one that begins now goes on to the limit of accuracy."""
    journal, storage = tmp_path / "studies.journal", InMemoryStorage()
    shutil.copy(RECORDED / "studies.journal", journal)
    optuna.copy_study(
        from_study_name="prioritized",
        from_storage=open_storage(str(journal)),
        to_storage=storage,
        to_study_name="prioritized-seed0",
    )
    parser = argparse.ArgumentParser()
    compare.add_arguments(parser)
    words = "--samplers prioritized --rates 0.25,0.5 --step 0.25 --max-ratio 0.75 --max-drop 12 --min-saving 0.2"
    layers = "stem.3,blocks.0.hidden,blocks.0.output"
    args = parser.parse_args(["demo", "-o", "out", *words.split(), "--layers", layers])
    (asked,) = studies_of(arms(args), 1)
    for _ in range(2):  # going on writes settings of this version into it, so once is not enough
        capsys.readouterr()
        study = at_its_best(asked, storage)
        assert "prioritized-seed0 goes on as it was begun" in capsys.readouterr().err
        (run,) = run_studies(storage, Subject(load_model(RECORDED / "model"), noisy_data()), [study])
        assert plans(run.study) == TRIALS["prioritized"]
    assert at_its_best(asked, InMemoryStorage()).settings.options.exhaust
    assert capsys.readouterr().err.count("as it was begun") == 0
