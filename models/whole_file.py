"""Writing a file whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import PrimeSVTError


def partial_file(file: Path) -> Path:
    """Where a file is, while it is written; a process that is killed then leaves it behind."""
    return file.with_name(f"{file.name}.part")


@contextmanager
def whole_file(file: str | Path, what: str = "") -> Iterator[Path]:
    """Write a file beside its final place, and move it there when all went well; its folder is made.

    Args:
        file: Its final place; what is there is replaced.
        what: What the file is, for the message: ``the plan``.

    Raises:
        PrimeSVTError: It cannot be written.
    """
    file = Path(file)
    partial = partial_file(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(file)
    except OSError as error:
        named = f"{what} {file}" if what else f"{file}"
        raise PrimeSVTError(f"Cannot write {named}: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
