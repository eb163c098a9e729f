"""Timing graphs."""

from primesvt.pruning.latency import Stopwatch, in_turn

from .graphs import FULL, template


def test_a_graph_takes_some_time() -> None:
    watches = [Stopwatch(template().model(FULL)), Stopwatch(template().model(FULL, range(3, 7)))]
    assert all(0 < watch.milliseconds() < 100 for watch in watches)
    assert all(0 < taken < 100 for taken in in_turn(watches, rounds=2))
