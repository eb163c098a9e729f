"""Training learns, repeats, is told of, and refuses what would make its result mean nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from primesvt.models import (
    ArrayImages,
    DataSet,
    ImageSet,
    PrimeSVTError,
    Progress,
    Recipe,
    ResumeFile,
    TrainOptions,
    fingerprint,
    predict,
    train,
)
from primesvt.models.training import loop
from primesvt.models.training.loop import optimizer_of
from primesvt.pruning import PruningPlan, prune

from ...conftest import noisy_data, replace
from .trainings import RECIPE, fresh


def test_it_learns(family: str) -> None:
    data = noisy_data(360)
    model = fresh(family)
    before = predict(model, data.test).accuracy
    log = train(model, data.fit, Recipe(epochs=8, batch_size=16, learning_rate=0.02, shift=0, seed=0))
    after = predict(model, data.test)
    # The lower end of the interval is above chance by far, so this is no luck.
    assert after.interval[0] > 0.6 > before
    assert [entry["epoch"] for entry in log] == list(range(1, 9))
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[-1]["fit_accuracy"] > 0.7
    assert not model.training


def test_a_pruned_model_is_fine_tuned(make_model, family: str, data: DataSet) -> None:
    model = prune(make_model(family), PruningPlan({"stem.3": 0.5, "blocks.0.output": 0.3, "blocks.1.hidden": 0.6}))
    before, index = fingerprint(model), model.stem_index.channels.clone()
    log = train(model, data.fit, replace(RECIPE, epochs=2))
    assert fingerprint(model) != before
    assert torch.equal(model.stem_index.channels, index)
    assert len(log) == 2


def test_progress_is_told(data: DataSet) -> None:
    steps: list[Progress] = []
    epochs: list[Progress] = []

    def on_epoch(progress: Progress, seconds: float) -> dict[str, float]:
        epochs.append(progress)
        return {"extra": len(epochs), "took": seconds}

    log = train(fresh(), data.fit, RECIPE, options=TrainOptions(on_step=steps.append, on_epoch=on_epoch))
    per_epoch = -(-len(data.fit) // 16)
    assert [(p.epoch, p.step, p.steps) for p in steps] == [
        (e, s + 1, per_epoch) for e in range(3) for s in range(per_epoch)
    ]
    assert [p.epoch for p in epochs] == [0, 1, 2]
    assert [entry["extra"] for entry in log] == [1, 2, 3]
    assert log[-1]["loss"] == pytest.approx(steps[-1].loss, abs=1e-4)
    assert 0 <= steps[-1].accuracy <= 1


def test_the_same_seed_gives_the_same_weights(data: DataSet) -> None:
    one, other, third = fresh(), fresh(), fresh()
    train(one, data.fit, RECIPE)
    torch.rand(7)
    train(other, data.fit, RECIPE)
    train(third, data.fit, replace(RECIPE, seed=4))
    assert fingerprint(one) == fingerprint(other) != fingerprint(third)


def test_a_diverging_training_says_so(data: DataSet, tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"Training diverged in epoch \d: .*Lower the learning rate \(1000000"):
        train(
            fresh(),
            data.fit,
            replace(RECIPE, learning_rate=1e6, warm_up=0.0),
            options=TrainOptions(resume=ResumeFile(tmp_path / "c.pt")),
        )
    model = fresh()
    model.head.weight.data.fill_(float("nan"))
    with pytest.raises(PrimeSVTError, match="Training diverged in epoch 1: the loss is nan"):
        train(model, data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(tmp_path / "d.pt")))
    assert not (tmp_path / "d.pt").exists()


def test_weights_that_became_nan_in_the_last_step_are_noticed(data: DataSet, tmp_path: Path) -> None:
    model, last = fresh(), -(-len(data.fit) // 16)

    def break_it(progress: Progress) -> None:
        if progress.step == last:
            model.head.weight.data.fill_(float("nan"))

    with pytest.raises(PrimeSVTError, match="diverged in epoch 1: weights are NaN or infinite"):
        train(model, data.fit, RECIPE, options=TrainOptions(resume=ResumeFile(tmp_path / "c.pt"), on_step=break_it))
    assert not (tmp_path / "c.pt").exists()


@pytest.mark.parametrize("role", ["calibration", "selection", "test"])
def test_only_the_fit_set_is_learnt(data: DataSet, role: str) -> None:
    model = fresh()
    before = fingerprint(model)
    with pytest.raises(PrimeSVTError, match=f"Training on the {role} set is refused"):
        train(model, data.role(role), RECIPE)
    assert fingerprint(model) == before


def test_images_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="The images are 9x9 pixels"):
        train(fresh(), noisy_data(size=9).fit, RECIPE)


def events(count: int = 30) -> ImageSet:
    array = np.random.default_rng(0).random((count, 3, 1, 8, 8), dtype=np.float32)
    return ImageSet("fit", ArrayImages(array), np.arange(count) % 3, np.arange(count), ("a", "b", "c"))


def test_event_sequences_are_learnt(family: str) -> None:
    model = fresh(family)
    before = fingerprint(model)
    assert len(train(model, events(), RECIPE)) == 3
    assert fingerprint(model) != before


def test_bfloat16(family: str, data: DataSet) -> None:
    model, exact = fresh(family), fresh(family)
    train(model, data.fit, replace(RECIPE, precision="bfloat16"))
    train(exact, data.fit, RECIPE)
    assert fingerprint(model) != fingerprint(exact)
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_everything_goes_to_the_device_and_comes_back(data: DataSet, tmp_path: Path, monkeypatch) -> None:
    """There is no second device here: where things are sent is recorded, and they stay."""
    moved: list[tuple[object, str]] = []
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr(nn.Module, "to", lambda module, device: moved.append((module, str(device))))
    monkeypatch.setattr(loop, "to_device", lambda x, device: (sent.append((len(x), str(device))), x)[1])
    model, teacher, expected = fresh(), fresh("spike-driven-transformer").eval(), fresh()
    recipe = replace(RECIPE, epochs=1, distillation=0.5)
    options = TrainOptions(device=torch.device("cuda", 1), resume=ResumeFile(tmp_path / "c.pt"))
    train(model, data.fit, recipe, teacher=teacher, options=options)
    assert moved == [(model, "cuda:1"), (teacher, "cuda:1"), (model, "cpu"), (teacher, "cpu")]
    assert {device for _, device in sent} == {"cuda:1"}
    # Images and labels of every step.
    assert sum(count for count, _ in sent) == 2 * len(data.fit)
    train(expected, data.fit, recipe, teacher=teacher)
    assert fingerprint(model) == fingerprint(expected)


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_statistics_stay(data: DataSet, frozen: bool) -> None:
    model = fresh()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train(model, data.fit, replace(RECIPE, frozen_statistics=frozen))
    after = model.state_dict()
    statistics = [name for name in before if "running_" in name]
    assert statistics
    assert all(torch.equal(before[name], after[name]) == frozen for name in statistics)
    assert not torch.equal(before["head.weight"], after["head.weight"])


def test_a_model_that_equals_its_teacher_learns_nothing_with_frozen_statistics(data: DataSet) -> None:
    model, teacher = fresh(), fresh().eval()
    recipe = replace(
        RECIPE, frozen_statistics=True, distillation=1.0, label_smoothing=0.0, weight_decay=0.0, learning_rate=1e-6
    )
    losses: list[float] = []
    train(model, data.fit, recipe, teacher=teacher, options=TrainOptions(on_step=lambda step: losses.append(step.loss)))
    assert losses[0] == pytest.approx(0, abs=1e-6)


def test_weight_decay_spares_biases_and_norms() -> None:
    groups = optimizer_of(fresh(), Recipe(weight_decay=0.3)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert all(p.ndim == 1 for p in groups[1]["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(fresh().parameters()))
