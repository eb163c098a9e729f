"""The curves of a training as TensorBoard reads them, written by PyTorch's own ``SummaryWriter``.

TensorBoard is an extra: nothing here imports it before a curve is asked for.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from primesvt.models import PrimeSVTError

MISSING = "curves need the module tensorboard, which is not installed: python -m pip install 'primesvt[tensorboard]'"


def has_tensorboard() -> bool:
    """Whether the extra is installed, which takes no time to find out."""
    return find_spec("tensorboard") is not None


@dataclass
class Curves:
    """Curves over the epochs of a training, in one directory.

    An interrupted training goes on in the same curve: the first epoch that is told hides itself and all later ones of
    an earlier run in that directory.

    Args:
        directory: Where they are written; nothing is where it is None.
    """

    directory: Path | None
    _writer: Any = field(default=None, init=False)

    def tell(self, epoch: int, values: Mapping[str, float]) -> None:
        """Add a point to every curve, on the disk at once: a training may be killed.

        Args:
            epoch: Its number, from 1; 0 is before the first one.
            values: By the names of their curves.

        Raises:
            PrimeSVTError: TensorBoard is not installed.
        """
        if self.directory is None:
            return
        if self._writer is None:
            self._writer = _writer(self.directory, epoch)
        for name, value in values.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def curves(directory: Path | None) -> Iterator[Curves]:
    """Curves in a directory, closed in the end; none where it is None."""
    drawn = Curves(directory)
    try:
        yield drawn
    finally:
        drawn.close()


def _writer(directory: Path, epoch: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise PrimeSVTError(f"{MISSING.capitalize()} ({error}).") from error
    return SummaryWriter(str(directory), purge_step=epoch)
