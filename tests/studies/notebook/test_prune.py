"""Pruning and fine-tuning from Python."""

import pytest
import torch

import primesvt
from primesvt.models import fingerprint, load_model, model_bytes

from ...conftest import noisy_data
from ...search.models import tiny_model


def test_a_plan_prunes_and_training_goes_on_from_there(tmp_path) -> None:
    model, data = tiny_model(), noisy_data()
    before = fingerprint(model)
    layer = primesvt.prunable_layers(model)[0].name
    smaller = primesvt.prune(model, {layer: 0.5}, data=data, repair="least-squares", output=tmp_path / "p", quiet=True)
    assert fingerprint(model) == before
    assert smaller.plan.repair == ("least-squares",)
    assert [report.step for report in smaller.repair] == ["least-squares"]
    assert smaller.bytes_after == model_bytes(load_model(tmp_path / "p")) < smaller.bytes_before
    assert 0 < smaller.memory_saving < 1
    tuned = primesvt.finetune(smaller.model, data, teacher=model, epochs=1, flip=False, quiet=True)
    assert list(tuned.trials.epoch) == [1]
    assert tuned.accuracy >= tuned.accuracy_before
    assert list(tuned.figures) == ["epochs"]
    assert all(torch.isfinite(tensor).all() for tensor in tuned.model.state_dict().values())


def test_a_plan_of_a_study(tmp_path) -> None:
    model, data, storage = tiny_model(), noisy_data(), f"sqlite:///{tmp_path}/s.db"
    primesvt.search(model, data, storage=storage, study="mine", sampler="random", trials=2, quiet=True)
    pruned = primesvt.prune(model, storage=storage, study="mine", trial=1, data=data, quiet=True)
    assert pruned.bytes_after < pruned.bytes_before
    with pytest.raises(primesvt.PrimeSVTError, match="Say which plan"):
        primesvt.prune(model)
