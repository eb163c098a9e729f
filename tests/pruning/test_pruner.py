"""From a plan to all that follows from it: one way, and three traps on it."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from primesvt.models import DataSet, PrimeSVTError, fingerprint, model_bytes
from primesvt.pruning import (
    Calibration,
    Kept,
    Pruner,
    PruningPlan,
    Reference,
    kept_channels,
    memory_saving,
    prune,
    pruned_bytes,
    remove,
    run_repair,
)
from primesvt.pruning.repair import NewTensors

PLAN = PruningPlan({"blocks.0.hidden": 0.5, "stem.3": 0.25})
IMAGES = "0123456789abcdef"
RECORDED_KEY = "eab0fdff0c5544d83ff796c4"


def test_the_channels_with_the_smallest_scores_go(make_model, family: str) -> None:
    pruner = Pruner(make_model(family))
    for layer in ("blocks.0.hidden", "embedding"):
        kept, scores = pruner.kept(PruningPlan({layer: 0.5}))[layer].numpy(), pruner.scores("l2", layer)
        assert len(scores) > len(kept)
        assert scores[kept].min() >= np.delete(scores, kept).max()
    with pytest.raises(PrimeSVTError, match=r"Unknown layer 'blocks\.9"):
        pruner.scores("l2", "blocks.9")


def test_it_says_what_surgery_does(make_model, family: str) -> None:
    model = make_model(family)
    pruner = Pruner(model)
    expected = kept_channels(model, PLAN)
    assert all(torch.equal(pruner.kept(PLAN)[layer], channels) for layer, channels in expected.items())
    assert pruner.bytes(PLAN) == pruned_bytes(model, PLAN) == model_bytes(pruner.prune(PLAN))
    assert pruner.saving(PLAN) == pytest.approx(memory_saving(model, PLAN), abs=0)
    assert pruner.unpruned_bytes == model_bytes(model)
    for made in (pruner.prune(PLAN), pruner.version(PLAN).model):
        assert fingerprint(made) == fingerprint(prune(model, PLAN))


def test_a_pruned_model_is_on_its_own(make_model) -> None:
    model = make_model()
    before = copy.deepcopy(model.state_dict())
    made = Pruner(model).prune(PruningPlan())
    with torch.no_grad():
        for tensor in made.state_dict().values():
            tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_keys(make_model) -> None:
    pruner = Pruner(make_model())
    key = pruner.key(PLAN, IMAGES)
    assert key == Pruner(make_model()).key(PLAN, IMAGES), "the same in another process"
    assert key == pruner.key(PruningPlan({**PLAN.ratios, "stem.3": 0.26}), IMAGES), "the same channels"
    others = [
        pruner.key(PLAN, "another set"),
        pruner.key(PruningPlan(), IMAGES),
        pruner.key(PruningPlan(PLAN.ratios, "random"), IMAGES),
        Pruner(make_model(seed=1)).key(PLAN, IMAGES),
    ]
    assert len({key, *others}) == 5


def test_the_key_is_that_of_earlier_versions(make_model) -> None:
    """Recorded with version 0.1: what a storage holds is found again."""
    model = make_model()
    with torch.no_grad():
        for i, tensor in enumerate(model.state_dict().values()):
            tensor.copy_(torch.arange(tensor.numel()).view(tensor.shape) % 7 + i)
    assert Pruner(model).key(PLAN, IMAGES) == RECORDED_KEY


def test_versions_tell_equal_weights(make_model) -> None:
    pruner = Pruner(make_model())
    one, two = pruner.version(PLAN), pruner.version(PruningPlan({**PLAN.ratios, "blocks.1.hidden": 0.5}))
    assert one.weights("blocks.0.hidden") == two.weights("blocks.0.hidden")
    assert one.weights("blocks.1.hidden") != two.weights("blocks.1.hidden")
    assert one.weights("blocks.1.output") != two.weights("blocks.1.output")


def test_criteria_that_look_at_data(make_model, data: DataSet) -> None:
    plan = PruningPlan({"blocks.0.hidden": 0.5}, "activity")
    with pytest.raises(PrimeSVTError, match="looks at calibration images"):
        Pruner(make_model()).kept(plan)
    few, many = (Pruner(make_model(), Calibration(data.calibration, count)) for count in (1, 6))
    assert few.bytes(plan) == many.bytes(plan)
    assert not torch.equal(few.kept(plan)["blocks.0.hidden"], many.kept(plan)["blocks.0.hidden"])


# Repair: three traps.

REPAIRED = PruningPlan(PLAN.ratios, repair=("least-squares",))


def repairing(model: nn.Module, data: DataSet, count: int = 6) -> Pruner:
    return Pruner(model, Calibration(data.calibration, count))


def test_a_repaired_and_an_unrepaired_plan_have_keys_of_their_own(
    make_model, data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one would be taken for the other in a storage."""
    model = make_model()
    pruner = repairing(model, data)
    keys = [
        pruner.key(PLAN, IMAGES),
        pruner.key(REPAIRED, IMAGES),
        pruner.key(PruningPlan(PLAN.ratios, repair=("norm",)), IMAGES),
        pruner.key(PruningPlan(PLAN.ratios, repair=("norm", "least-squares")), IMAGES),
        pruner.key(PruningPlan(PLAN.ratios, repair=("least-squares", "norm")), IMAGES),
        repairing(model, data, 5).key(REPAIRED, IMAGES),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == Pruner(model).key(PLAN, IMAGES), "who repairs nothing need not know the calibration images"
    assert keys[1] == repairing(make_model(), data).key(REPAIRED, IMAGES), "the same in another process"
    monkeypatch.setattr("primesvt.pruning.pruner.ARITHMETIC", "another version's")
    assert pruner.key(PLAN, IMAGES) == keys[0]
    assert pruner.key(REPAIRED, IMAGES) not in keys, "the same plan has other weights then"


def test_changed_weights_are_told_from_those_before(make_model, data: DataSet) -> None:
    """Or activations of the unrepaired model would be recalled for the repaired one."""
    model = make_model()
    pruner = repairing(model, data)
    cut, repaired = pruner.version(PLAN), pruner.version(REPAIRED)
    changed = {
        name.rpartition(".")[0]
        for name, tensor in repaired.model.state_dict().items()
        if not torch.equal(tensor, cut.model.state_dict()[name])
    }
    assert changed
    assert not [module for module in changed if cut.weights(module) == repaired.weights(module)]
    # What lies before the first cut is as it was, and shared by all repaired versions.
    other = pruner.version(PruningPlan({**PLAN.ratios, "blocks.1.hidden": 0.5}, repair=("least-squares",)))
    assert repaired.weights("stem.0") == other.weights("stem.0")
    assert repaired.weights("stem.3") == other.weights("stem.3")
    assert repaired.weights("blocks.1.output") != other.weights("blocks.1.output")


@pytest.mark.parametrize("step", ["norm", "mean", "least-squares"])
def test_a_repair_writes_into_nothing_that_it_was_lent(make_model, family: str, data: DataSet, step: str) -> None:
    model = make_model(family)
    before = copy.deepcopy(model.state_dict())
    made = repairing(model, data).prune(PruningPlan(PLAN.ratios, repair=(step,)))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    with torch.no_grad():
        for tensor in made.state_dict().values():
            tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_what_removes_nothing_is_not_repaired(make_model, data: DataSet) -> None:
    model = make_model()
    nothing = PruningPlan({"stem.3": 0.001}, repair=("norm",))
    assert Pruner(model).key(nothing, IMAGES) == Pruner(model).key(PruningPlan(), IMAGES)
    assert fingerprint(repairing(model, data).prune(nothing)) == fingerprint(model)


def test_repair_needs_calibration_images(make_model) -> None:
    with pytest.raises(PrimeSVTError, match=r"Repair looks at calibration images; give a data set \(--data\)"):
        Pruner(make_model()).version(REPAIRED)


def test_an_unknown_step_is_refused_with_those_known(make_model, data: DataSet) -> None:
    with pytest.raises(PrimeSVTError, match="Unknown repair step 'prayer'; known are mean, norm, least-squares"):
        repairing(make_model(), data).version(PruningPlan(PLAN.ratios, repair=("prayer",)))


class Vandal:
    """A step that writes into what it was lent, and into BatchNorm's statistics by a forward pass in training mode."""

    name = "vandal"

    def __init__(self, *, original: bool) -> None:
        self.original = original

    def repair(self, reference: Reference, pruned: nn.Module, kept: Kept) -> NewTensors:
        with torch.no_grad():
            for parameter in (reference.original if self.original else pruned).parameters():
                parameter.mul_(0.5)
            pruned.train()(reference.images)
        return NewTensors({}, ())


def test_a_step_that_writes_in_place_harms_no_model(make_model, data: DataSet) -> None:
    model = make_model()
    reference = Reference(model, Calibration(data.calibration, 6))
    kept = kept_channels(model, PLAN)
    pruned = remove(model, kept, share=True)
    before = fingerprint(model), fingerprint(pruned)
    repaired, _ = run_repair(reference, pruned, kept, [Vandal(original=False)])
    assert (fingerprint(model), fingerprint(pruned)) == before
    assert fingerprint(repaired) == before[1]
    with pytest.raises(PrimeSVTError, match="step 'vandal' wrote into the unpruned model"):
        run_repair(reference, pruned, kept, [Vandal(original=True)])


def test_prune_is_the_way_of_a_pruner(make_model, data) -> None:
    model = make_model()
    with pytest.raises(PrimeSVTError, match="Repair looks at calibration images"):
        prune(model, REPAIRED)
    calibration = Calibration(data.calibration)
    assert fingerprint(prune(model, REPAIRED, calibration)) == fingerprint(Pruner(model, calibration).prune(REPAIRED))
