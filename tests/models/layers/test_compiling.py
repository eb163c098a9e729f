"""Compiling is told of kernel by kernel, and only where it happens."""

import numba
import numpy as np
from numba.core import event

from primesvt.models.engine import probes, spike_kernels, spike_ops
from primesvt.models.layers import fused_neuron, sparse_conv
from primesvt.models.layers.compiling import compilations


def compiles(kernel: object) -> None:
    """What numba says when it compiles one."""
    with event.trigger_event("numba:compile", data={"dispatcher": kernel}):
        pass


def test_kernels_are_counted_by_what_they_are_for() -> None:
    told: list[tuple[int, int]] = []
    with compilations(lambda number, needed: told.append((number, needed))):
        others = (fused_neuron._integrate, probes._sum, spike_kernels._emit)
        for kernel in (spike_ops._pool, sparse_conv._convolve, *others):
            compiles(kernel)
    # Fourteen answer, of which a model needs twelve or so on a first use; training and counting need others.
    assert told == [(1, 14), (1, 6), (2, 14), (1, 3), (3, 14)]
    compiles(spike_kernels.convolve)
    assert len(told) == 5


def test_other_code_is_not_told_of_nor_what_is_compiled_already() -> None:
    told: list[tuple[int, int]] = []
    mine = numba.njit(lambda number: number + 1)
    array = np.zeros((1, 8), np.float32)
    with compilations(lambda *what: told.append(what)):
        assert mine(1) == 2
        for _ in range(2):
            fused_neuron._integrate(array, np.float32(2), np.float32(1), np.zeros((2, 8), np.float32))
    assert len(told) in (0, 1)  # an empty cache has to be filled


def test_what_a_kernel_needs_once_more_does_not_exceed_the_total() -> None:
    told: list[tuple[int, int]] = []
    with compilations(lambda *what: told.append(what)):
        for _ in range(16):
            compiles(spike_ops._pool)
    assert told[13:] == [(14, 14), (15, 15), (16, 16)]
