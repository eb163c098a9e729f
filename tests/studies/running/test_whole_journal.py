"""Journals: every line is whole, whatever happened while it was written; and files of both kinds on a full disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from primesvt.models import PrimeSVTError
from primesvt.studies.running.storage import open_storage, storage_errors


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Meanwhile no file may grow beyond this size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def study_in(file: Path) -> optuna.Study:
    return optuna.create_study(study_name="s", storage=open_storage(str(file)), load_if_exists=True)


def objective(trial: optuna.Trial) -> float:
    return trial.suggest_float("x", 0, 1)


@pytest.mark.parametrize("space", [0, 1, 50, 150, 250, 400])
def test_a_full_disk_loses_nothing(tmp_path: Path, space: int) -> None:
    file = tmp_path / "s.log"
    study_in(file).optimize(objective, n_trials=2)
    with full_disk(file.stat().st_size + space), storage_told("File too large"):
        study_in(file).optimize(objective, n_trials=2)
    assert file.read_bytes().endswith(b"\n")
    again = study_in(file)
    again.optimize(objective, n_trials=2)
    assert [t.state.name for t in study_in(file).trials].count("COMPLETE") == 4


def test_a_full_disk_loses_nothing_of_a_database(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    study = study_in(file)
    study.optimize(objective, n_trials=2)
    with full_disk(file.stat().st_size), storage_told("disk"):
        study.optimize(lambda trial: trial.set_user_attr("long", "x" * 2_000) or 0.0, n_trials=100)
    before = study_in(file).get_trials(states=(TrialState.COMPLETE,))
    assert 2 <= len(before) < 100
    study_in(file).optimize(objective, n_trials=1)
    assert study_in(file).get_trials(states=(TrialState.COMPLETE,))[:-1] == before


def test_what_is_said_of_a_full_disk(tmp_path: Path) -> None:
    study = study_in(tmp_path / "s.log")
    with full_disk(300), storage_told("File too large"):
        study.optimize(objective, n_trials=9)


@contextmanager
def storage_told(text: str) -> Iterator[None]:
    with pytest.raises(PrimeSVTError, match=f"The storage failed in study 's': .*{text}"), storage_errors("study 's'"):
        yield


@pytest.mark.parametrize("length", [1, 40, 5000, 10_000])
def test_half_a_line_is_taken_away(tmp_path: Path, length: int) -> None:
    """As a machine leaves it that lost its power."""
    file = tmp_path / "s.log"
    study_in(file).optimize(objective, n_trials=2)
    with file.open("ab") as journal:
        journal.write((b'{"op_code":4,"worker_id":"' + b"x" * 10_000)[:length])
    study_in(file).optimize(objective, n_trials=1)
    assert len(study_in(file).trials) == 3


def test_half_a_line_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "s.log"
    file.write_bytes(b'{"op_code":')
    study_in(file).optimize(objective, n_trials=1)
    assert len(study_in(file).trials) == 1


def test_it_is_optunas_format(tmp_path: Path) -> None:
    file = tmp_path / "s.log"
    for n_trials in (1, 2):
        for storage in (open_storage(str(file)), JournalStorage(JournalFileBackend(str(file)))):
            study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True)
            study.optimize(objective, n_trials=n_trials)
    assert [t.number for t in study_in(file).trials] == [*range(6)]
