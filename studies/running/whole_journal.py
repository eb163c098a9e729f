"""A journal of which every line is whole, also where the disk was full.

Optuna's own appends to whatever the file ends with. A line that was cut off in the middle then spoils the next one,
written when there is space again, and with it the whole journal. Here what is left of a line is taken away, by whoever
finds it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from optuna.exceptions import StorageInternalError
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

_STEP = 4096


class WholeJournalBackend(JournalFileBackend):
    """As Optuna's, in the same format; several workers may write, of this kind and of Optuna's.

    Args:
        file: Of the journal; it is made where there is none.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._own_lock = file, JournalFileSymlinkLock(str(file))
        super().__init__(str(file), self._own_lock)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines, all of them or none.

        Raises:
            StorageInternalError: They cannot be written.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        try:
            with self._locked(), self._file.open("r+b", buffering=0) as file:
                _append(file, lines)
        except OSError as error:
            raise StorageInternalError(str(error)) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._own_lock.acquire()
        try:
            yield
        finally:
            self._own_lock.release()


def _append(file: BinaryIO, lines: bytes) -> None:
    end = _end_of_lines(file)
    try:
        file.truncate(end)
        file.seek(end)
        written = 0
        while written < len(lines):
            written += file.write(lines[written:])
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise


def _end_of_lines(file: BinaryIO) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _STEP)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0
