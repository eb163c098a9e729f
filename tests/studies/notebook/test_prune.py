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


def test_a_pruned_model_is_repaired_later(tmp_path) -> None:
    model, data = tiny_model(), noisy_data()
    listed = primesvt.layers(model)
    assert listed.names[0] == listed.frame.index[0] == primesvt.prunable_layers(model)[0].name
    assert listed.frame.channels.sum() == sum(layer.channels for layer in primesvt.prunable_layers(model))
    assert listed.bytes == model_bytes(model)
    assert "embedding" in primesvt.layers(model, embedding=True).names
    ratios = dict.fromkeys(listed.names[:3], 0.75)
    pruned = primesvt.prune(model, ratios, quiet=True).model
    before = fingerprint(pruned)
    at_once = primesvt.prune(model, ratios, data=data, repair="least-squares", quiet=True).model
    later = primesvt.repair(pruned, model, data, repair="least-squares", plan=ratios, output=tmp_path / "r", quiet=True)
    assert fingerprint(load_model(tmp_path / "r")) == fingerprint(later.model) == fingerprint(at_once) != before
    assert fingerprint(pruned) == before
    assert [report.step for report in later.repair] == ["least-squares"]
    with pytest.raises(primesvt.PrimeSVTError, match="The model was not pruned by that plan: its layers have other"):
        primesvt.repair(pruned, model, data, plan={listed.names[4]: 0.5})


def test_a_new_model_is_trained_and_trained_on(tmp_path) -> None:
    data, small = noisy_data(), {"epochs": 1, "batch_size": 16, "quiet": True}
    trained = primesvt.train(
        data, family="spikformer", embed_dim=16, depth=1, heads=2, time_steps=1, output=tmp_path / "t", **small
    )
    assert fingerprint(load_model(tmp_path / "t")) == fingerprint(trained.model)
    assert list(trained.trials.epoch) == [1]
    assert trained.accuracy == pytest.approx(trained.trials.selection_accuracy.iloc[-1], abs=1e-6)
    assert list(trained.figures) == ["epochs"]
    before = fingerprint(trained.model)
    again = primesvt.train(data, init=trained.model, **small)
    assert fingerprint(trained.model) == before != fingerprint(again.model)


def test_a_plan_of_a_study(tmp_path) -> None:
    model, data, storage = tiny_model(), noisy_data(), f"sqlite:///{tmp_path}/s.db"
    primesvt.search(model, data, storage=storage, study="mine", sampler="random", trials=2, quiet=True)
    pruned = primesvt.prune(model, storage=storage, study="mine", trial=1, data=data, quiet=True)
    assert pruned.bytes_after < pruned.bytes_before
    with pytest.raises(primesvt.PrimeSVTError, match="Say which plan"):
        primesvt.prune(model)
