"""Where the program starts: nothing slow is imported before Ctrl-C is understood."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from .exit_codes import INTERRUPTED

# PyTorch's and numba's threads would go on spinning for milliseconds after each piece of work, on the cores that the
# other ones need: measured on two cores, evaluation takes a fifth longer then. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _terminated(number: int, _: FrameType | None) -> None:
    # Once: what is done in the end must not be interrupted, too.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _dropped(told: Any) -> None:
    """What is raised while an object is destroyed, Python drops; an interruption has to come again, a moment later."""
    if not issubclass(told.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(told)
        return
    signal.signal(signal.SIGTERM, _terminated)
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()


def main() -> int:
    """Run the command line of this process; returns the exit code.

    SIGTERM, by which systems and batch queues end a process, is understood as Ctrl-C is: what was begun is put in
    order, and the command goes on where it was when it is run again.
    """
    signal.signal(signal.SIGTERM, _terminated)
    sys.unraisablehook = _dropped
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("primesvt: interrupted\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
