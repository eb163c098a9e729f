"""A file that a command writes: refused before the work where it cannot be written, and written whole or not at all."""

import errno
import os
import tempfile
from pathlib import Path

from primesvt.models import PrimeSVTError, whole_file


def check_file(file: Path) -> None:
    """Refuse an output file that cannot be written, before the work whose result it would hold.

    Raises:
        PrimeSVTError: It is a directory, or no file can be made where it would be.
    """
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        raise PrimeSVTError(f"Cannot write {file}: {error.strerror or error}.") from error


def write_text(file: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        PrimeSVTError: It cannot be written.
    """
    with whole_file(file) as partial:
        partial.write_text(text, encoding="utf-8")
