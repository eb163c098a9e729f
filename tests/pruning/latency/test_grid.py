"""At which widths a segment is timed."""

from primesvt.pruning.latency.grid import axis_of


def test_axes_have_widths_of_both_kinds() -> None:
    assert axis_of(64, 1) == (5, 8, 13, 16, 29, 32, 45, 48, 61, 64)
    # Eight heads leave no other width than multiples of 8.
    assert axis_of(64, 8) == (8, 16, 32, 48, 64)
    assert axis_of(1, 1) == (1,)
    assert all(width % 6 == 0 for width in axis_of(96, 6))
