"""Storages by URL; what cannot be opened is told in one line."""

import os
import socket
import sqlite3
import sys
from pathlib import Path
from unittest import mock

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import JournalStorage, RDBStorage
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from primesvt.models import PrimeSVTError
from primesvt.studies.running.signing_storage import SigningStorage
from primesvt.studies.running.storage import open_storage, storage_errors


def refused(url: str) -> str:
    """The one line that is said."""
    with pytest.raises(PrimeSVTError) as caught:
        open_storage(url)
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("name", "journal"),
    [
        ("sqlite:///{}/study.db", False),
        ("{}/study.db", False),
        ("{}/study.log", True),
        ("{}/study.journal", True),
        ("sqlite:///file:{}/uri.db?uri=true", False),
    ],
)
def test_what_is_written_is_there_when_opened_again(tmp_path: Path, name: str, *, journal: bool) -> None:
    url = name.format(tmp_path)
    storage = open_storage(url)
    assert isinstance(storage, SigningStorage)
    assert isinstance(storage.inner, JournalStorage) == journal
    optuna.create_study(study_name="s", storage=storage).optimize(lambda _: 1.0, n_trials=2)
    assert len(optuna.load_study(study_name="s", storage=open_storage(url)).trials) == 2
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:"])
def test_what_would_lose_every_trial_is_refused(url: str) -> None:
    assert "in memory only" in refused(url)


@pytest.mark.parametrize(
    ("url", "guess"), [("postgres://a@b/c", "postgresql"), ("mysqll://a@b/c", "mysql"), ("sqllite:///s.db", "sqlite")]
)
def test_a_mistyped_kind_says_what_was_meant(url: str, guess: str) -> None:
    said = refused(url)
    assert f"Unknown kind of storage '{url.partition(':')[0]}'; did you mean {guess}? Known are sqlite, " in said


@pytest.mark.parametrize("name", ["sqlite:///{}/typo.db", "{}/typo.db", "{}/typo.log"])
def test_what_is_only_read_is_not_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(PrimeSVTError, match="there is no such file"):
        open_storage(name.format(tmp_path), create=False)
    assert list(tmp_path.iterdir()) == []
    open_storage(name.format(tmp_path))
    open_storage(name.format(tmp_path), create=False)


def test_a_plain_path_is_taken_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_storage("study.db")
    assert (tmp_path / "study.db").is_file()


@pytest.mark.parametrize("url", ["", "  "])
def test_no_name(url: str) -> None:
    assert "no name" in refused(url)


@pytest.mark.parametrize("url", ["sqlite:///{}/no/such/study.db", "{}/no/such/study.db", "{}/no/such/study.log"])
def test_a_missing_directory_is_named_and_not_made(tmp_path: Path, url: str) -> None:
    assert f"the directory {tmp_path}/no/such does not exist" in refused(url.format(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["sqlite:///{}", "{}"])
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    file = tmp_path / "photo.db"
    file.write_bytes(b"certainly no database" * 100)
    assert "file is not a database" in refused(name.format(file))
    assert file.read_bytes() == b"certainly no database" * 100


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    assert "it is a directory; name a file in it" in refused(str(tmp_path))


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"hello\nworld\n")
    assert "does not answer" in refused(f"{tmp_path}/a.log")


def test_a_database_of_a_newer_optuna(tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    open_storage(str(file))
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    assert "version" in refused(str(file))


@pytest.mark.parametrize("name", ["s.db", "s.log"])
def test_what_may_not_be_written(tmp_path: Path, name: str) -> None:
    with mock.patch.object(os, "access", lambda _path, mode: mode != os.W_OK):
        assert f"the directory {tmp_path} may not be written" in refused(f"{tmp_path}/{name}")
        assert list(tmp_path.iterdir()) == []
    open_storage(f"{tmp_path}/{name}")
    with mock.patch.object(os, "access", lambda _path, mode: mode != os.W_OK):
        assert f"{tmp_path}/{name} may not be written" in refused(f"{tmp_path}/{name}")
        open_storage(f"{tmp_path}/{name}", create=False)  # to be looked at


@pytest.mark.parametrize(
    "url",
    ["nonsense://host/name", "sqlite+nonsense:///study.db", "postgresql://host:port/name", "://", "sqlite:/x://y"],
)
def test_urls_that_make_no_sense(url: str) -> None:
    assert "Check the URL (such as sqlite:///study.db" in refused(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@localhost:1/name",
        "mysql+pymysql://me:secret@localhost:1/name",
        "postgresql://me:secret@localhost:port/name",
        "postgresql://me:se/cr@et:secret@localhost/name",
        "postgresql://localhost:1/name?user=me&password=secret",
        "redis://:secret@localhost:1/0",
        "nonsense://me:secret@host/name",
        "://me:secret@host",
    ],
)
def test_passwords_are_never_told(url: str) -> None:
    text = refused(url)
    assert "secret" not in text
    assert "cr@et" not in text


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("psycopg2")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "does not answer" in refused(f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/name")


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("INSERT INTO trials VALUES (...)", {}, Exception("disk I/O error")),
        StorageInternalError("An exception is raised during the commit.\nThis typically happens due to ..."),
    ],
)
def test_failures_while_in_use(error: Exception) -> None:
    with pytest.raises(PrimeSVTError) as caught, storage_errors("study 's'"):
        raise error
    text = str(caught.value)
    assert text.startswith("The storage failed in study 's': ")
    assert "\n" not in text
    assert "run the same command again" in text


def test_the_cause_is_told_where_optuna_hides_it() -> None:
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = OperationalError("INSERT", {}, Exception("database or disk is full"))
    with pytest.raises(PrimeSVTError, match="database or disk is full"), storage_errors("study 's'"):
        raise error


@pytest.mark.parametrize(
    ("kind", "said"),
    [(OperationalError, "table studies already exists"), (ProgrammingError, 'type "studydirection" already exists')],
)
def test_tables_that_another_worker_makes_at_the_same_time(
    tmp_path: Path, kind: type[DBAPIError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLAlchemy asks whether a table exists, and makes it: two workers may both make it."""
    monkeypatch.setattr("primesvt.studies.running.storage._CREATION_WAITS", (0.0,) * 3)
    real, calls = RDBStorage.__init__, []

    def init(self: RDBStorage, *args: object, **options: object) -> None:
        calls.append(1)
        if len(calls) < 3:
            raise kind("CREATE TABLE", {}, Exception(said))
        real(self, *args, **options)  # type: ignore[arg-type]

    with mock.patch.object(RDBStorage, "__init__", init):
        assert optuna.get_all_study_names(open_storage(f"{tmp_path}/s.db")) == []


def test_the_end_of_a_trial_that_cannot_be_written(tmp_path: Path) -> None:
    """Optuna hides the reason behind an assertion."""
    error = AssertionError("Should not reach.")
    error.__context__ = StorageInternalError("the disk is full")
    with pytest.raises(PrimeSVTError, match="study 's': the disk is full"), storage_errors("study 's'"):
        raise error
    with pytest.raises(AssertionError, match="ours"), storage_errors("study 's'"):
        raise AssertionError("ours")


def test_other_errors_pass_through() -> None:
    with pytest.raises(ZeroDivisionError), storage_errors("study 's'"):
        raise ZeroDivisionError


@pytest.mark.parametrize("url", ["::::", "sqlite:x.db", "postgres:host/name", "sqlite:/x.db"])
def test_a_mistyped_url_is_no_file(url: str) -> None:
    with pytest.raises(PrimeSVTError, match="neither a URL, which has :// after its kind"):
        open_storage(url)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PrimeSVTError, match=r'needs the module psycopg, .* pip install "primesvt\[postgresql\]"'):
        open_storage("postgresql+psycopg://user@localhost/studies")
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    with pytest.raises(PrimeSVTError, match=r'MySQLdb, .*Or write mysql\+pymysql://, and install "primesvt\[mysql\]"'):
        open_storage("mysql://user@localhost/studies")
