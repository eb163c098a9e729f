"""Where the program starts: nothing slow is imported before Ctrl-C is understood."""

import os
import signal
import sys

from .exit_codes import INTERRUPTED
from .running.interruption import stop_by

# PyTorch's and numba's threads would go on spinning for milliseconds after each piece of work, on the cores that the
# other ones need: measured on two cores, evaluation takes a fifth longer then. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# NumPy and SciPy are given small matrices here, such as the classifier's: their threads cost more than they bring. On
# two cores, a repair with 1,000 images takes 6.6 s with one, and 9.8 s with two.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> int:
    """Run the command line of this process; returns the exit code.

    SIGTERM, by which systems and batch queues end a process, is understood as Ctrl-C is: what was begun is put in
    order, and the command goes on where it was when it is run again.
    """
    stop_by(signal.SIGTERM)
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("primesvt: interrupted\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
