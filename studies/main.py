"""Where the program starts: nothing slow is imported before Ctrl-C is understood."""

import os
import signal
import sys
from types import FrameType

from .exit_codes import INTERRUPTED

# PyTorch's and numba's threads would go on spinning for milliseconds after each piece of work, on the cores that the
# other ones need: measured on two cores, evaluation takes a fifth longer then. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _terminated(number: int, _: FrameType | None) -> None:
    # Once: what is done in the end must not be interrupted, too.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run the command line of this process; returns the exit code.

    SIGTERM, by which systems and batch queues end a process, is understood as Ctrl-C is: what was begun is put in
    order, and the command goes on where it was when it is run again.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("primesvt: interrupted\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
