"""Synaptic operations as a measure."""

from primesvt.pruning import measure_named

from .test_energy import WORK


def test_those_of_all_layers_and_time_steps() -> None:
    synops = measure_named("synops")
    assert (synops.value(None, WORK), synops.needs_images) == (4e6, True)  # type: ignore[arg-type]
    assert synops.text(4e6) == "4,000,000"
