"""A lost plan is found again by the weights."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError, build, config_of
from primesvt.pruning import PruningPlan, kept_channels, kept_channels_of, prune

from ..conftest import FAMILIES


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_channels_of_any_plan_are_found(make_model, data: st.DataObject) -> None:
    model = make_model(data.draw(st.sampled_from(FAMILIES)))
    names = [group.name for group in model.config.groups()]
    ratios = {name: data.draw(st.floats(0, 0.95)) for name in data.draw(st.sets(st.sampled_from(names)))}
    expected = kept_channels(model, PruningPlan(ratios))
    pruned = prune(model, PruningPlan(ratios))
    found = kept_channels_of(model, pruned)
    assert found.keys() == expected.keys()
    written = {g.stream for g in model.config.groups() if g.stream}
    for layer, channels in expected.items():
        if layer not in written:
            assert torch.equal(found[layer], channels), layer
    again = prune_by(model, found)
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(again.eval()(images), pruned.eval()(images))


def prune_by(model, kept):
    from primesvt.pruning import remove

    return remove(model, kept)


@pytest.mark.parametrize("changed", ["weight", "running_mean"])
def test_also_where_one_thing_of_the_norms_changed(make_model, family: str, changed: str) -> None:
    model, plan = make_model(family), PruningPlan({"blocks.0.hidden": 0.5, "stem.1": 0.25})
    pruned = prune(model, plan)
    with torch.no_grad():
        for name, tensor in pruned.state_dict().items():
            if name.endswith((f"bn.{changed}", "conv.weight", "bn.bias")):
                tensor.add_(0.1)
    found = kept_channels_of(model, pruned)
    assert all(torch.equal(found[layer], channels) for layer, channels in kept_channels(model, plan).items())


def test_another_model_is_refused(make_model) -> None:
    model = make_model()
    with pytest.raises(PrimeSVTError, match=r"cannot be told.*--plan"):
        kept_channels_of(model, prune(make_model(seed=1), PruningPlan({"stem.1": 0.5})))
    with pytest.raises(PrimeSVTError, match="differ in more than their widths"):
        kept_channels_of(model, build(config_of(make_model("spikformer"))))
