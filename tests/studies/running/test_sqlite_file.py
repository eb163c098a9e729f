"""SQLite files: nothing waits for the disk, nothing is lost, and what may only be read is read."""

import gc
import multiprocessing
import os
import signal
import sqlite3
from collections import namedtuple
from pathlib import Path

import optuna
import pytest

from primesvt.models import PrimeSVTError
from primesvt.studies.running import sqlite_file
from primesvt.studies.running.sqlite_file import is_local, to_be_read
from primesvt.studies.running.storage import open_storage, storage_errors

Mounted = namedtuple("Mounted", ["mountpoint", "fstype"])


def mode_of(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("kinds", "local"),
    [
        ({"/": "ext4"}, True),
        ({"/": "ext4", "/home": "nfs4"}, False),
        ({"/": "nfs", "/home/me": "NTFS"}, True),
        ({"/": "ext4", "/ho": "nfs"}, True),
        ({"/": "somefs"}, False),
        ({}, False),
    ],
)
def test_only_what_surely_lies_on_this_machine_is_local(kinds: dict[str, str], *, local: bool) -> None:
    mounted = [Mounted(*each) for each in kinds.items()]
    assert is_local(Path("/home/me/study.db"), lambda all: mounted) == local  # noqa: A006


def test_the_last_mounted_at_a_place_hides_the_others() -> None:
    mounted = [Mounted("/data", "nfs"), Mounted("/data", "xfs")]
    assert is_local(Path("/data/study.db"), lambda all: mounted)  # noqa: A006


@pytest.mark.parametrize("name", ["{}/study.db", "sqlite:///{}/study.db"])
def test_a_local_file_has_a_log_and_another_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for local, mode in ((False, "delete"), (True, "wal")):
        monkeypatch.setattr("primesvt.studies.running.storage.is_local", lambda _, local=local: local)
        storage = open_storage(name.format(tmp_path))
        optuna.create_study(storage=storage, study_name=mode)
        assert mode_of(tmp_path / "study.db") == mode


def test_a_file_that_is_being_written_stays_as_it_is_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.db"
    optuna.create_study(storage=f"sqlite:///{path}", study_name="before")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    waited: list[float] = []
    monkeypatch.setattr("primesvt.studies.running.storage.is_local", lambda _: True)
    monkeypatch.setattr(sqlite_file.time, "sleep", waited.append)
    reader = open_storage(str(path))
    assert [study.study_name for study in reader.get_all_studies()] == ["before"]
    assert waited == list(sqlite_file._WAITS)
    writer.execute("COMMIT")
    writer.close()
    assert mode_of(path) == "delete"
    open_storage(str(path)).get_all_studies()
    assert mode_of(path) == "wal"


def _write_and_die(path: str) -> None:
    study = optuna.create_study(storage=open_storage(path), study_name="s")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_has_written_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.db"
    died = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(str(path),))
    died.start()
    died.join()
    assert died.exitcode == -signal.SIGKILL
    assert len(optuna.load_study(storage=open_storage(str(path)), study_name="s").trials) == 3


@pytest.mark.parametrize("written", [False, True], ids=["closed", "beside a writer"])
def test_what_may_not_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, written: bool) -> None:
    path = tmp_path / "a study's #1 %.db"
    monkeypatch.setattr("primesvt.studies.running.storage.is_local", lambda _: True)
    study = optuna.create_study(storage=open_storage(str(path)), study_name="s")
    study.optimize(lambda _: 1.0, n_trials=2)
    if not written:
        del study
        gc.collect()  # the last to close the file takes its log with it
    assert Path(f"{path}-wal").exists() == written
    assert ("mode=ro" if written else "immutable") in to_be_read(path)
    monkeypatch.setattr("primesvt.studies.running.storage.may_be_written", lambda _: False)
    storage = open_storage(str(path), create=False)
    read = optuna.load_study(storage=storage, study_name="s")
    assert len(read.trials) == 2
    with pytest.raises(PrimeSVTError, match="readonly database"), storage_errors("writing"):
        read.set_user_attr("a", 1)
