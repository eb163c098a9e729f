"""Values that are allowed, but look as if another unit was meant: fractions for points, pixels of 0 to 255."""

import argparse
from collections.abc import Iterator

# Limits of accuracy, in points. A tenth of a point is one image of a thousand: nobody limits that.
_POINTS = ("max_drop", "margin")
_DOUBTFUL = 0.1
# Of images in [0, 1].
_PIXELS = ("mean", "std")
_BRIGHTEST = 255


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
    for name in _PIXELS:
        values = getattr(args, name, None) or ()
        if any(1 < value <= _BRIGHTEST for value in values):
            yield (
                f"--{name} is of images in [0, 1]: of pixels from 0 to {_BRIGHTEST} give "
                f"{','.join(f'{value / _BRIGHTEST:.4g}' for value in values)} instead."
            )
