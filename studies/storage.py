"""Opening Optuna storages, with errors that a person understands."""

from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from primesvt.models import PrimeSVTError

DEFAULT_STORAGE = "sqlite:///primesvt.db"
_TIMEOUT_SECONDS = 10


def open_storage(url: str) -> BaseStorage:
    """Open a storage by its URL; a plain path of a file is an SQLite file, ``.log`` or ``.journal`` a journal.

    Raises:
        PrimeSVTError: It does not answer, its driver is missing, or the URL makes no sense.
    """
    try:
        if "://" not in url:
            return _open_file(Path(url))
        if url.startswith("redis"):
            return optuna.storages.get_storage(url)
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        # Without a limit, a server that does not answer would be waited for without end.
        options = {"connect_timeout": _TIMEOUT_SECONDS} if backend in ("postgresql", "mysql") else {}
        if backend == "sqlite":
            if parsed.database:
                _make_parent(Path(parsed.database))
            options = {"timeout": 60}
        return RDBStorage(url, engine_kwargs={"connect_args": options})
    except (SQLAlchemyError, ImportError, OSError, ValueError, RuntimeError, optuna.exceptions.OptunaError) as error:
        raise PrimeSVTError(
            f"The storage {_without_password(url)} does not answer: {_first_line(error)}. "
            "Check the URL (such as sqlite:///study.db or postgresql://user@host/name)."
        ) from error


def _open_file(path: Path) -> BaseStorage:
    _make_parent(path)
    if path.suffix in (".log", ".journal"):
        return JournalStorage(JournalFileBackend(str(path)))
    return RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}})


def _make_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise OSError(f"the directory {path.parent} does not exist")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return url
