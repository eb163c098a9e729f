"""How an SQLite file is opened: with a write-ahead log, so that no commit waits for the disk; or only to be read.

A trial commits some fifty times, every parameter and attribute alone, and as a rule SQLite waits for the disk at each:
2.4 ms on an idle disk, 17 ms on a busy one, and meanwhile no other worker can write. With a log none waits, and readers
hinder no writer. What a killed process has committed is kept; after a power cut the last trials may be missing, and the
file is whole. Source: https://sqlite.org/wal.html
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from sqlalchemy import event
from sqlalchemy.engine import Engine

# The log's index is memory that its users share, so they have to be on one machine: not so on a network's file system.
_LOCAL = frozenset(
    {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "ntfs", "overlay", "tmpfs", "xfs", "zfs"}
)
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)


def is_local(path: Path, partitions: Any = psutil.disk_partitions) -> bool:
    """Whether a file lies on a disk of this machine, as far as the name of its file system tells.

    Args:
        path: Of the file, which need not exist.
        partitions: Asks for the mounted file systems, as :func:`psutil.disk_partitions`.
    """
    whole = path.resolve()
    holding = [mounted for mounted in partitions(all=True) if whole.is_relative_to(mounted.mountpoint)]
    if not holding:
        return False
    # Of several that are mounted at one place, the last hides the others.
    nearest = max(enumerate(holding), key=lambda each: (len(Path(each[1].mountpoint).parts), each[0]))[1]
    return nearest.fstype.lower() in _LOCAL


def may_be_written(path: Path) -> bool:
    """Whether a file and the folder that holds it, where SQLite writes its logs, may be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def to_be_read(path: Path) -> str:
    """URL of a file that may only be read; SQLite opens one that has a log only where it is told that nobody writes.

    Args:
        path: Of the file.
    """
    how = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    # SQLAlchemy reads a URL, and SQLite what is in it.
    return f"sqlite:///file:{quote(quote(str(path)))}?{how}&uri=true"


def write_ahead(engine: Engine) -> None:
    """Have a file written by a write-ahead log.

    Args:
        engine: Of a file on a disk of this machine that may be written.
    """
    event.listen(engine, "connect", _begin_log)
    # The connection that has made the tables.
    engine.dispose()


def _begin_log(connection: Any, _record: Any) -> None:
    for wait in _WAITS:
        # SQLite does not wait here for those who are writing.
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError:
            time.sleep(wait)
            continue
        if mode == "wal":
            connection.execute("PRAGMA synchronous=NORMAL")
        return
    # Somebody keeps the file in the old way: it stays as slow as it was.
