"""Parameters by hand."""

from primesvt.models import parameter_count
from primesvt.pruning import PruningPlan, measure_named, prune


def test_parameters(make_model) -> None:
    model = make_model()
    fewer = prune(model, PruningPlan({"blocks.0.hidden": 0.5}))
    # 16 of 32 hidden channels: filters of 16 weights, a bias and a BatchNorm, and 16 columns of the output layer.
    assert parameter_count(model) - measure_named("parameters").of(fewer) == 16 * (16 + 1 + 2) + 16 * 16
