"""Where the program starts: nothing slow is imported before Ctrl-C is understood."""

import os
import sys

from .exit_codes import INTERRUPTED

# PyTorch's and numba's threads would go on spinning for milliseconds after each piece of work, on the cores that the
# other ones need: measured on two cores, evaluation takes a fifth longer then. Read when OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def main() -> int:
    """Run the command line of this process; returns the exit code."""
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("primesvt: interrupted\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
