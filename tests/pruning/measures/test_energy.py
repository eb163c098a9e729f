"""Energy by the field's convention."""

import pytest

from primesvt.models import LayerWork, PrimeSVTError, Work
from primesvt.pruning import OperationEnergy, measure_named

WORK = Work(
    images=1,
    layers=(
        LayerWork(layer="dense", synops=(), macs=2e6, spikes=0, neurons=0),
        LayerWork(layer="driven", synops=(1e6, 3e6), macs=0, spikes=20, neurons=100),
    ),
)


def test_a_multiplication_takes_4_6_and_an_addition_0_9_picojoules() -> None:
    assert measure_named("energy").value(None, WORK) == pytest.approx(2 * 4.6 + 4 * 0.9)  # type: ignore[arg-type]
    assert measure_named("energy").text(12.8) == "12.800 µJ"


def test_constants_can_be_said() -> None:
    assert OperationEnergy(mac_pj=1, ac_pj=0).of(WORK) == 2
    with pytest.raises(PrimeSVTError, match="ac-pj must be at least 0 and finite, got -1"):
        OperationEnergy(ac_pj=-1)
