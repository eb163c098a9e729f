"""Opening Optuna storages, with errors that a person understands."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, NoSuchModuleError, OperationalError, ProgrammingError, SQLAlchemyError

from primesvt.models import PrimeSVTError, unknown

from .patient_storage import PATIENCE_SECONDS, PatientStorage
from .servers import GRPC, Server, database_lost, grpc_server, import_grpc, redis_server, timeouts
from .signing_storage import SigningStorage
from .sqlite_file import is_local, may_be_written, to_be_read, write_ahead
from .storage_url import without_password
from .whole_journal import WholeJournalBackend

_IN_MEMORY = ("sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:")
_JOURNALS = (".log", ".journal")
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")  # of Windows
# What is to be installed for the module of a driver: an extra of PrimeSVT, or a package of another name.
_PACKAGES = {
    "psycopg": "primesvt[postgresql]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "primesvt[mysql]",
    "MySQLdb": "mysqlclient",
    "redis": "primesvt[redis]",
    "grpc": "primesvt[grpc]",
    "google": "primesvt[grpc]",  # google.protobuf
}
_KINDS = ("sqlite", "postgresql", "postgresql+psycopg", "mysql", "mysql+pymysql", "redis", "rediss", "grpc")
_CHECK = "Check the URL (such as sqlite:///study.db, postgresql://user@host/name or grpc://host:port)."
_BUSY_SECONDS = 60
_CREATION_WAITS = (0.2, 0.5, 1.0, 2.0, 4.0)


def open_storage(url: str, *, create: bool = True, patience: float = PATIENCE_SECONDS) -> BaseStorage:
    """Open a storage by its URL; a plain path of a file is an SQLite file, ``.log`` or ``.journal`` a journal.

    Trials that it begins are signed (:mod:`primesvt.studies.running.signing_storage`).

    Args:
        url: Its URL, or the path of a file.
        create: Make a file that does not exist; otherwise refuse it.
        patience: Seconds for which a server that stops later is waited for.

    Raises:
        PrimeSVTError: It does not answer or exist, its driver is missing, or the URL makes no sense.
    """
    if not url.strip():
        raise PrimeSVTError("The storage has no name; give a URL such as sqlite:///study.db.")
    if "://" not in url and ":" in url and url not in _IN_MEMORY and not _DRIVE.match(url):
        raise PrimeSVTError(
            f"The storage {without_password(url)} is neither a URL, which has :// after its kind (sqlite:///study.db, "
            "postgresql://user@host/name), nor the name of a file, which has no colon."
        )
    try:
        return SigningStorage(_opened(url, create, patience))
    except ImportError as error:
        raise PrimeSVTError(_missing_driver(url, error)) from error
    except NoSuchModuleError as error:
        kind = unknown("kind of storage", url.partition("://")[0], _KINDS)
        raise PrimeSVTError(f"{kind} {_CHECK}") from error
    except Exception as error:  # drivers have errors of their own, without a common base
        raise PrimeSVTError(
            f"The storage {without_password(url)} does not answer: {_first_line(error)}. {_CHECK}"
        ) from error


def _opened(url: str, create: bool, patience: float) -> BaseStorage:
    if url in _IN_MEMORY:
        raise ValueError("it is in memory only, as it names no file, so every trial would be lost at the end")
    if "://" not in url:
        return _open_file(Path(url), create)
    scheme = url.partition("://")[0]
    if scheme == GRPC:
        return _patient(grpc_server(url), url, patience)
    if scheme.startswith("redis"):
        return _patient(redis_server(url), url, patience)
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(url, _file_of(parsed), create)
    database = _open_database(url, timeouts(parsed.get_dialect().driver))
    # As Optuna does it with a database that it opens itself: what is finished is read once.
    return _patient(Server(get_storage(database), database_lost), url, patience)


def is_database(url: str) -> bool:
    """Whether a storage is a database, as far as its URL says."""
    scheme = url.partition("://")[0] if "://" in url else None
    return Path(url).suffix not in _JOURNALS if scheme is None else not scheme.startswith((GRPC, "redis"))


def require_grpc() -> None:
    """Refuse to go on without what a proxy needs.

    Raises:
        PrimeSVTError: A module is missing, and what to install.
    """
    try:
        import_grpc()
    except ImportError as error:
        raise PrimeSVTError(_missing_driver("grpc://", error)) from error


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn failures of a storage into an error for a person.

    Args:
        what: Was being done.

    Raises:
        PrimeSVTError: The storage failed.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, AssertionError) as error:
        failure = _storage_failure(error)
        if failure is None:
            raise
        raise PrimeSVTError(
            f"The storage failed in {what}: {_first_line(failure)}. All finished trials are kept; run "
            "the same command again to go on."
        ) from error


def _missing_driver(url: str, error: ImportError) -> str:
    """Which module a storage needs: Optuna leaves it in the error's cause."""
    cause = error.__cause__ or error
    module = cause.name if isinstance(cause, ImportError) else None
    where = without_password(url)
    if module is None:
        return f"The storage {where} needs a driver that is not installed: {_first_line(error)}."
    package = _PACKAGES.get(module.partition(".")[0], module)
    # Of MySQL's drivers SQLAlchemy takes the one that has to be compiled, where the URL names none.
    other = ' Or write mysql+pymysql://, and install "primesvt[mysql]".' if module == "MySQLdb" else ""
    install = f'python -m pip install "{package}"'
    return f"The storage {where} needs the module {module}, which is not installed: {install}.{other}"


def _storage_failure(error: BaseException | None) -> BaseException | None:
    """The failure behind an error: when a trial's end cannot be written, Optuna says only "Should not reach"."""
    while error is not None and not isinstance(error, (SQLAlchemyError, StorageInternalError, OSError)):
        error = error.__context__
    return error if error is None else error.__cause__ or error


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        # Its text may quote a piece of the password.
        raise ValueError("the URL cannot be read") from error


def _patient(server: Server, url: str, patience: float) -> BaseStorage:
    def lost(error: BaseException) -> str | None:
        reason = server.lost(error)
        return None if reason is None else _first_line(reason)

    return PatientStorage(replace(server, lost=lost), f"The storage {without_password(url)}", patience)


def _open_file(path: Path, create: bool) -> BaseStorage:
    if path.suffix not in _JOURNALS:
        return _open_sqlite(f"sqlite:///{path}", path, create)
    _check_file(path, create)
    return JournalStorage(WholeJournalBackend(path))


def _file_of(url: URL) -> Path | None:
    """None where the name is a URI, which says by itself how the file is opened."""
    name = url.database or ""
    return None if not name or name.startswith((":memory:", "file:")) else Path(name)


def _open_sqlite(url: str, path: Path | None, create: bool) -> BaseStorage:
    # Its own timeout is its patience.
    patience = {"timeout": _BUSY_SECONDS}
    if path is None:
        return get_storage(_open_database(url, patience))
    _check_file(path, create)
    if path.exists() and not may_be_written(path):
        return get_storage(_open_database(to_be_read(path), patience))
    database = _open_database(url, patience)
    if is_local(path):
        write_ahead(database.engine)
    return get_storage(database)


def _open_database(url: str, connect_args: Mapping[str, Any]) -> RDBStorage:
    for wait in _CREATION_WAITS:
        try:
            return RDBStorage(url, engine_kwargs={"connect_args": dict(connect_args)})
        except (OperationalError, ProgrammingError, IntegrityError, AssertionError) as error:
            # Workers that start together make the tables together; all but one find them half made.
            if isinstance(error, OperationalError | ProgrammingError) and "already exists" not in str(error):
                raise
            time.sleep(wait)
    return RDBStorage(url, engine_kwargs={"connect_args": dict(connect_args)})


def _check_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise OSError("it is a directory; name a file in it")
    if not path.parent.is_dir():
        raise OSError(f"the directory {path.parent} does not exist")
    if not create and not path.exists():
        raise OSError("there is no such file")
    if create and not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OSError(f"{path if path.exists() else f'the directory {path.parent}'} may not be written")


def _first_line(error: BaseException | str) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return without_password(line)
