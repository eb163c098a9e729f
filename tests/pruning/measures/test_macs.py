"""Multiply-accumulates as a measure."""

from primesvt.pruning import measure_named

from .test_energy import WORK


def test_those_of_layers_that_read_real_numbers() -> None:
    assert measure_named("macs").value(None, WORK) == 2e6  # type: ignore[arg-type]
