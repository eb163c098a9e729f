"""A measure as a person reads it."""

from torch import nn

from primesvt.pruning import Measure


def test_a_value_has_its_unit_and_its_digits() -> None:
    energy = Measure(name="energy", label="energy", unit="mJ", of=lambda _model: 0.0, digits=2)
    count = Measure(name="layers", label="layers", unit="", of=lambda model: len(list(model.children())))
    assert energy.text(1234.567) == "1,234.57 mJ"
    assert count.text(count.of(nn.Sequential(nn.ReLU(), nn.ReLU()))) == "2"
