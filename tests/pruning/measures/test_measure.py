"""A measure as a person reads it."""

import pytest
from torch import nn

from primesvt.models import PrimeSVTError, Work
from primesvt.pruning import MEASURES, Measure


def test_a_value_has_its_unit_and_its_digits() -> None:
    energy = Measure(name="energy", label="energy", unit="mJ", of=lambda _model: 0.0, digits=2)
    count = Measure(name="layers", label="layers", unit="", of=lambda model: len(list(model.children())))
    assert energy.text(1234.567) == "1,234.57 mJ"
    assert count.text(count.of(nn.Sequential(nn.ReLU(), nn.ReLU()))) == "2"


def test_a_value_is_read_as_it_is_counted() -> None:
    """A thousand is no prefix of a unit that begins with the same letter: 5m of milliseconds is no 5,000,000."""

    def measure(unit: str) -> Measure:
        return Measure(name="joy", label="joy", unit=unit, of=lambda _model: 0.0)

    assert [measure(unit).read("1.5M") for unit in ("", "bytes")] == [1.5e6, 1.5e6]
    assert [measure("ms").read(text) for text in ("5", "5ms", "+5 MS")] == [5, 5, 5]
    with pytest.raises(PrimeSVTError, match=r"such as 3 or 3 ms, got '5m'; units are ms$"):
        measure("ms").read("5m")


@pytest.mark.parametrize("name", ["accuracy", "bytes", "images", "memory_saving", "Joy", "a b", ""])
def test_names_that_every_trial_has_are_refused(name: str) -> None:
    with pytest.raises(PrimeSVTError, match=f"cannot be called '{name}'"):
        Measure(name=name, label="x", unit="", of=lambda _model: 0.0)


def test_what_is_measured_is_said_once() -> None:
    told_by = {"told_by": lambda _table: lambda _model: 0.0}
    for said in ({}, {"of": lambda _model: 0.0, "of_work": lambda _work: 0.0}, told_by):
        with pytest.raises(PrimeSVTError, match="'joy' must have one of: of, of_work, table with told_by"):
            Measure(name="joy", label="x", unit="", **said)


def test_a_measure_of_images_says_nothing_of_a_model_alone() -> None:
    measure = Measure(name="joy", label="x", unit="", of_work=lambda _work: 1.0)
    with pytest.raises(PrimeSVTError, match="looks at images or at a table"):
        measure.value(nn.ReLU(), None)


def test_a_note_is_said_behind_the_value() -> None:
    measure = Measure(name="joy", label="joy", unit="J", of=lambda _model: 1.0, note=lambda model, _work: model.name)
    model = nn.ReLU()
    model.name = "of a model"
    assert measure.noted(3.0, model, Work(1, ())) == "3 J (of a model)"
    assert MEASURES["parameters"].noted(3.0, model, Work(1, ())) == "3"
