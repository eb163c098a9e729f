"""Where the program starts: nothing slow is imported before Ctrl-C is understood."""

import sys

INTERRUPTED = 130


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
