"""Timing graphs in ONNX Runtime, on one thread, whatever else the machine does."""

import time
from collections.abc import Sequence

import numpy as np
import onnxruntime

from .template import noise

# Element types of inputs, as ONNX Runtime calls them.
_TYPES = {"tensor(float)": np.float32, "tensor(bool)": np.bool_, "tensor(int64)": np.int64}
# Runs that are not timed: they claim memory.
_WARM_UP = 2
# A graph is timed for about so long, and so often.
_MILLISECONDS, _LEAST, _MOST = 2.0, 6, 25
# Runs of a graph before it is the next one's turn.
_BURST = 5


class Stopwatch:
    """A graph that is ready to run.

    Args:
        graph: An ONNX file with inputs of fixed shapes.
    """

    def __init__(self, graph: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        for each in self._session.get_inputs():
            values = noise(each.shape)
            # As many neurons fire as in a lively model.
            typed = values > 0.2 if each.type == "tensor(bool)" else values.astype(_TYPES[each.type])
            self._binding.bind_cpu_input(each.name, np.ascontiguousarray(typed))
        for each in self._session.get_outputs():
            self._binding.bind_output(each.name)

    def milliseconds(self) -> float:
        """The least CPU time of some runs: what else the machine does takes caches away, and so can only add to it."""
        for _ in range(_WARM_UP):
            once = self.once()
        return min(self.once() for _ in range(min(max(_LEAST, int(_MILLISECONDS / max(once, 1e-3))), _MOST)))

    def once(self) -> float:
        """Milliseconds of one run."""
        started = time.thread_time()
        self._session.run_with_iobinding(self._binding)
        return 1_000 * (time.thread_time() - started)


def in_turn(watches: Sequence[Stopwatch], rounds: int = 40) -> list[float]:
    """Least milliseconds of several graphs in turn, so that a disturbance meets all of them.

    Args:
        watches: The graphs. Each runs a few times before it is the next one's turn, as its weights are in the caches
            then, as where it runs alone.
        rounds: How often it is each one's turn.
    """
    rows = [[min(watch.once() for _ in range(_BURST)) for watch in watches] for _ in range(rounds)]
    return [min(times) for times in zip(*rows, strict=True)]
