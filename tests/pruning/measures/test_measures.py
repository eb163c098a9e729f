"""Measures of models whose numbers are known by hand."""

import pytest

from primesvt.models import PrimeSVTError, parameter_count
from primesvt.pruning import MEASURES, PruningPlan, measure_named, prune


def test_parameters(make_model) -> None:
    model = make_model()
    plan = PruningPlan({"blocks.0.hidden": 0.5})
    fewer = prune(model, plan)
    # 16 of 32 hidden channels: filters of 16 weights, a bias and a BatchNorm, and 16 columns of the output layer.
    assert parameter_count(model) - measure_named("parameters").of(fewer) == 16 * (16 + 1 + 2) + 16 * 16


def test_membranes_and_spikes(make_model) -> None:
    model = make_model()
    before = measure_named("state-bytes").of(model)
    after = measure_named("state-bytes").of(prune(model, PruningPlan({"blocks.0.hidden": 0.5})))
    # 16 channels fewer on 2x2 tokens: 4 bytes of potential and a bit of spike each.
    assert before - after == 16 * 4 * 4 + 16 * 4 / 8


def test_every_measure_says_what_it_counts() -> None:
    for name, measure in MEASURES.items():
        assert measure.name == name == name.lower()
        assert measure.label
        assert measure.text(1234567.0).startswith("1,234,567")


def test_unknown_measures_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="Unknown measure 'joy'; known are parameters, state-bytes"):
        measure_named("joy")
