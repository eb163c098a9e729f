"""Training learns, goes on exactly after a kill, and refuses what would make its result mean nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    build,
    fingerprint,
    predict,
    train,
)
from primesvt.models.training import training
from primesvt.models.training.training import learning_rate
from primesvt.pruning import PruningPlan, prune

from ...conftest import noisy_data, replace, small_config

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.01, shift=1, erase=0.3, seed=3)


def fresh(family: str = "spikformer", seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(small_config(family))


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

    log = train(fresh(), data.fit, RECIPE, on_step=steps.append, on_epoch=on_epoch)
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


class KilledError(Exception):
    pass


def kill_at(epoch: int, step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise KilledError

    return on_step


@pytest.mark.parametrize("kills", [[(1, 1)], [(0, 2)], [(1, 3), (2, 2)], [(2, 3)]])
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    family: str, data: DataSet, tmp_path: Path, kills: list[tuple[int, int]]
) -> None:
    whole = fresh(family)
    expected = train(whole, data.fit, RECIPE)
    file = tmp_path / "new" / "checkpoint.pt"
    for kill in kills:
        with pytest.raises(KilledError):
            train(fresh(family), data.fit, RECIPE, checkpoint=file, on_step=kill_at(*kill))
    resumed = fresh(family)
    torch.manual_seed(99)
    log = train(resumed, data.fit, RECIPE, checkpoint=file)
    assert fingerprint(resumed) == fingerprint(whole)
    assert [(e["epoch"], e["loss"], e["fit_accuracy"]) for e in log] == [
        (e["epoch"], e["loss"], e["fit_accuracy"]) for e in expected
    ]
    assert not resumed.training


def test_a_finished_training_is_not_done_again(data: DataSet, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    model, again = fresh(), fresh()
    log = train(model, data.fit, RECIPE, checkpoint=file)
    assert train(again, data.fit, RECIPE, checkpoint=file, on_step=lambda _: pytest.fail("trained")) == log
    assert fingerprint(again) == fingerprint(model)


@pytest.fixture
def interrupted(data: DataSet, tmp_path: Path) -> Path:
    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KilledError):
        train(fresh(), data.fit, RECIPE, checkpoint=file, on_step=kill_at(1, 1))
    return file


def test_a_checkpoint_of_another_run_is_refused(data: DataSet, interrupted: Path) -> None:
    content = interrupted.read_bytes()
    other_tau = build(replace(small_config("spikformer"), tau=3.0))
    other_tau.load_state_dict(fresh().state_dict())
    cases = [
        (fresh(), data.fit, replace(RECIPE, epochs=5, seed=4), "another epochs, seed; pass the same options to go on"),
        (fresh(seed=1), data.fit, RECIPE, "another initial model"),
        (other_tau, data.fit, RECIPE, "another initial model"),
        (fresh("spike-driven-transformer"), data.fit, RECIPE, "another initial model"),
        (fresh(), noisy_data(seed=1).fit, RECIPE, "another data;"),
    ]
    for model, images, recipe, message in cases:
        before = fingerprint(model)
        with pytest.raises(PrimeSVTError, match=message):
            train(model, images, recipe, checkpoint=interrupted)
        assert fingerprint(model) == before
    assert interrupted.read_bytes() == content


class Bomb:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return Path.touch, (self.file,)


def test_a_damaged_checkpoint_is_refused(data: DataSet, interrupted: Path) -> None:
    content = interrupted.read_bytes()
    state = torch.load(interrupted, weights_only=True)
    damages: list[object] = [b"", b"no checkpoint", content[:100], content[: len(content) // 2], [1], {"model": {}}]
    damages += [{**state, "log": 5}, {**state, "run": 5}, {**state, "model": {}}, {**state, "optimizer": {}}]
    damages += [Bomb(interrupted.with_name("ran"))]
    for damage in damages:
        if isinstance(damage, bytes):
            interrupted.write_bytes(damage)
        else:
            torch.save(damage, interrupted)
        with pytest.raises(
            PrimeSVTError, match=r"Cannot go on from .*checkpoint\.pt: it is damaged.*Delete it to start"
        ):
            train(fresh(), data.fit, RECIPE, checkpoint=interrupted)
    assert not interrupted.with_name("ran").exists()


def test_a_full_disk_leaves_the_last_checkpoint(data: DataSet, interrupted: Path, monkeypatch) -> None:
    content = interrupted.read_bytes()

    def half(file: Path, _content: object) -> None:
        with file.open("wb") as stream:
            stream.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(
            PrimeSVTError, match=r"Cannot write the checkpoint .*checkpoint\.pt: No space left on device\."
        ):
            train(fresh(), data.fit, RECIPE, checkpoint=interrupted)
        with pytest.raises(PrimeSVTError, match="Cannot write the checkpoint"):
            train(fresh(), data.fit, replace(RECIPE, epochs=1), checkpoint=interrupted / "below" / "c.pt")
    assert interrupted.read_bytes() == content
    assert [file.name for file in interrupted.parent.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize("other", [b"damaged", replace(RECIPE, learning_rate=1e-4)])
def test_another_checkpoint_is_discarded_where_that_is_wanted(data: DataSet, interrupted: Path, other: Any) -> None:
    recipe, resumed = RECIPE, []
    if isinstance(other, bytes):
        interrupted.write_bytes(other)
    else:
        recipe = other
    discarding, anew = fresh(), fresh()
    train(discarding, data.fit, recipe, checkpoint=interrupted, discard=True, on_resume=resumed.append)
    train(anew, data.fit, recipe)
    assert fingerprint(discarding) == fingerprint(anew)
    assert resumed == []


def test_a_checkpoint_that_fits_is_not_discarded(data: DataSet, interrupted: Path) -> None:
    resumed: list[int] = []
    train(fresh(), data.fit, RECIPE, checkpoint=interrupted, discard=True, on_resume=resumed.append)
    assert resumed == [1]


def test_a_diverging_training_says_so(data: DataSet, tmp_path: Path) -> None:
    with pytest.raises(PrimeSVTError, match=r"Training diverged in epoch \d: .*Lower the learning rate \(1000000"):
        train(fresh(), data.fit, replace(RECIPE, learning_rate=1e6, warm_up=0.0), checkpoint=tmp_path / "c.pt")
    model = fresh()
    model.head.weight.data.fill_(float("nan"))
    with pytest.raises(PrimeSVTError, match="Training diverged in epoch 1: the loss is nan"):
        train(model, data.fit, RECIPE, checkpoint=tmp_path / "d.pt")
    assert not (tmp_path / "d.pt").exists()


def test_weights_that_became_nan_in_the_last_step_are_noticed(data: DataSet, tmp_path: Path) -> None:
    model, last = fresh(), -(-len(data.fit) // 16)

    def break_it(progress: Progress) -> None:
        if progress.step == last:
            model.head.weight.data.fill_(float("nan"))

    with pytest.raises(PrimeSVTError, match="diverged in epoch 1: weights are NaN or infinite"):
        train(model, data.fit, RECIPE, checkpoint=tmp_path / "c.pt", on_step=break_it)
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


def test_distillation_pulls_towards_the_teacher() -> None:
    """The teacher has learnt to be wrong about every image; who learns from it alone is wrong the same way."""
    fit = noisy_data(240).fit
    wrong = replace(fit, labels=(fit.labels + 1) % 3)
    recipe = Recipe(epochs=12, batch_size=16, learning_rate=0.02, shift=0, flip=False, seed=0)
    teacher, taught, model = fresh("spike-driven-transformer"), fresh(), fresh()
    train(teacher, wrong, recipe)
    teacher.zero_grad()
    before = fingerprint(teacher)
    train(taught, fit, replace(recipe, distillation=1.0), teacher=teacher)
    train(model, fit, recipe)
    assert predict(taught, wrong).accuracy > 0.5 > predict(model, wrong).accuracy
    assert predict(model, fit).accuracy > 0.5 > predict(taught, fit).accuracy
    assert fingerprint(teacher) == before
    assert all(p.grad is None for p in teacher.parameters())


def test_the_loss_of_distillation_by_hand(data: DataSet) -> None:
    """(1 - w) * cross-entropy + w * t^2 * KL(teacher || student), both softened by t."""
    logits, answers = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[0.0, 1.0, 3.0]])
    labels, recipe = torch.tensor([1]), Recipe(distillation=0.25, temperature=3.0, label_smoothing=0.0)
    loss, _ = training._loss(lambda _: logits, lambda _: answers, torch.zeros(1), labels, recipe)
    student, teacher = (logits / 3).softmax(1), (answers / 3).softmax(1)
    divergence = (teacher * (teacher / student).log()).sum()
    hard = -logits.softmax(1)[0, 1].log()
    torch.testing.assert_close(loss, 0.75 * hard + 0.25 * 9 * divergence)


def test_teachers_that_cannot_teach(make_model, data: DataSet) -> None:
    recipe = replace(RECIPE, distillation=0.5)
    with pytest.raises(PrimeSVTError, match=r"distillation is 0\.5 without a teacher"):
        train(fresh(), data.fit, recipe)
    with pytest.raises(PrimeSVTError, match=r"distillation is 0\.0 with a teacher"):
        train(fresh(), data.fit, RECIPE, teacher=make_model())
    with pytest.raises(PrimeSVTError, match=r"teacher is in training mode"):
        train(fresh(), data.fit, recipe, teacher=make_model().train())
    other = make_model()
    other.config = replace(other.config, mean=(0.1,))
    with pytest.raises(PrimeSVTError, match=r"its mean is \(0\.1,\), the model's \(0\.5,\)"):
        train(fresh(), data.fit, recipe, teacher=other)
    other.config = replace(small_config("spike-driven-transformer"), classes=("a", "c", "b"))
    with pytest.raises(PrimeSVTError, match="its classes is"):
        train(fresh(), data.fit, recipe, teacher=other)
    with pytest.raises(PrimeSVTError, match="Linear is no model of PrimeSVT"):
        train(fresh(), data.fit, recipe, teacher=nn.Linear(1, 1))


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
    monkeypatch.setattr(training, "to_device", lambda x, device: (sent.append((len(x), str(device))), x)[1])
    model, teacher, expected = fresh(), fresh("spike-driven-transformer").eval(), fresh()
    recipe = replace(RECIPE, epochs=1, distillation=0.5)
    train(model, data.fit, recipe, teacher=teacher, device=torch.device("cuda", 1), checkpoint=tmp_path / "c.pt")
    assert moved == [(model, "cuda:1"), (teacher, "cuda:1"), (model, "cpu"), (teacher, "cpu")]
    assert {device for _, device in sent} == {"cuda:1"}
    # Images and labels of every step.
    assert sum(count for count, _ in sent) == 2 * len(data.fit)
    train(expected, data.fit, recipe, teacher=teacher)
    assert fingerprint(model) == fingerprint(expected)


def test_a_checkpoint_goes_on_on_any_device(data: DataSet, tmp_path: Path, monkeypatch) -> None:
    file, at_home = tmp_path / "c.pt", torch.Tensor.cpu
    fetched: list[torch.Size] = []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: (fetched.append(tensor.shape), at_home(tensor))[1])
    model = fresh()
    train(model, data.fit, replace(RECIPE, epochs=1), checkpoint=file)
    weights = [tensor.shape for tensor in model.state_dict().values()]
    moments = [p.shape for p in model.parameters()] * 2
    # The fingerprint of the model that is trained fetches the weights once, too.
    for shape in (*weights, *weights, *moments):
        fetched.remove(shape)


def test_one_image_left_over_joins_the_last_batch() -> None:
    """With one time step and one token a batch of one image would be too few numbers for BatchNorm."""
    config = replace(small_config("spikformer"), time_steps=1, pooling="1111")
    images = noisy_data(360).fit.first(33)
    seen: list[int] = []
    recipe = replace(RECIPE, epochs=1)
    model = build(config)
    model.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    train(model, images, recipe, on_step=lambda p: None)
    assert seen == [16, 17]


def test_every_image_is_seen_once_an_epoch(data: DataSet) -> None:
    batches = list(training._epoch(data.fit, small_config("spikformer"), replace(RECIPE, batch_size=7), 2))
    truth = torch.cat([labels for _, labels in batches])
    assert len(truth) == len(data.fit)
    assert torch.bincount(truth).tolist() == np.bincount(data.fit.labels[data.fit.indices]).tolist()
    other = list(training._epoch(data.fit, small_config("spikformer"), replace(RECIPE, batch_size=7), 3))
    assert not torch.equal(truth, torch.cat([labels for _, labels in other]))


def test_the_learning_rate() -> None:
    recipe = Recipe(learning_rate=1.0, warm_up=0.1)
    rates = [learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.5 * (1 + np.cos(np.pi * 89 / 90)))
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(Recipe(learning_rate=1.0, warm_up=1.0), 0, 1) == 1.0


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
    train(model, data.fit, recipe, teacher=teacher, on_step=lambda step: losses.append(step.loss))
    assert losses[0] == pytest.approx(0, abs=1e-6)


def test_weight_decay_spares_biases_and_norms() -> None:
    groups = training._optimizer(fresh(), Recipe(weight_decay=0.3)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert all(p.ndim == 1 for p in groups[1]["params"])
    assert sum(len(group["params"]) for group in groups) == len(list(fresh().parameters()))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be between 1 and"),
        ("batch_size", 0, "batch-size must be between 1 and"),
        ("learning_rate", 0, "learning-rate must be above 0 and finite, got 0"),
        ("learning_rate", float("nan"), "learning-rate must be above 0"),
        ("learning_rate", float("inf"), "learning-rate must be above 0"),
        ("temperature", 0, "temperature must be above 0"),
        ("weight_decay", -0.1, "weight-decay must be between 0"),
        ("weight_decay", float("inf"), "weight-decay must be between 0"),
        ("warm_up", 1.1, "warm-up must be between 0 and 1, got 1.1"),
        ("label_smoothing", -1, "label-smoothing must be between 0 and 1"),
        ("erase", float("nan"), "erase must be between 0 and 1, got nan"),
        ("distillation", 2, "distillation must be between 0 and 1"),
        ("shift", -1, "shift must be between 0"),
        ("precision", "float8", "precision must be float32 or bfloat16, got 'float8'"),
        ("seed", -1, "seed must be between 0 and"),
        ("seed", 2**32, "seed must be between 0 and"),
    ],
)
def test_recipes_that_make_no_sense(field: str, value: object, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        Recipe(**{field: value})
