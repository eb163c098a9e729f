"""Values that are allowed, but look as if a fraction was given for percentage points."""

import argparse
from collections.abc import Iterator

# Limits of accuracy, in points. A tenth of a point is one image of a thousand: nobody limits that.
_POINTS = ("max_drop", "margin")
_DOUBTFUL = 0.1


def doubts(args: argparse.Namespace) -> Iterator[str]:
    """What to say of the options of a command, a line each.

    Args:
        args: What the parser read.
    """
    for name in _POINTS:
        value = getattr(args, name, None)
        if value is not None and 0 < value < _DOUBTFUL:
            yield (
                f"--{name.replace('_', '-')} is in percentage points: {value:g} means {value:g} of 100 points. For "
                f"{100 * value:g} points give {100 * value:g}."
            )
