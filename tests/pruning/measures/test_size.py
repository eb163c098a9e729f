"""Bytes as a measure."""

from primesvt.models import model_bytes
from primesvt.pruning import PruningPlan, measure_named, prune, pruned_bytes


def test_bytes_of_a_pruned_model(make_model) -> None:
    model, plan = make_model(), PruningPlan({"blocks.0.hidden": 0.5})
    size = measure_named("size")
    assert size.of(model) == model_bytes(model)
    assert size.of(prune(model, plan)) == pruned_bytes(model, plan)
    assert not size.needs_images
