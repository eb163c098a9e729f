"""The loss by hand, and teachers that teach or cannot."""

import pytest
import torch
from torch import nn

from primesvt.models import DataSet, PrimeSVTError, Recipe, fingerprint, predict, train
from primesvt.models.training.loss import loss_of

from ...conftest import noisy_data, replace, small_config
from .trainings import RECIPE, fresh


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
    loss, _ = loss_of(lambda _: logits, lambda _: answers, torch.zeros(1), labels, recipe)
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
