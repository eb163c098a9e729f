"""Two models on the same images."""

from dataclasses import replace

import numpy as np
import pytest

from primesvt.models import PrimeSVTError, build, predict
from primesvt.studies.running import in_turn
from primesvt.studies.running.in_turn import answers_in_turn, check_comparable

from ...conftest import noisy_data
from ...search.models import tiny_model


def test_answers_in_turn_are_those_of_each_alone(monkeypatch) -> None:
    monkeypatch.setattr(in_turn, "_TURN", 16)
    first, second, images = tiny_model(), tiny_model(seed=1), noisy_data().test
    counted: list[int] = []
    for model, answers in zip((first, second), answers_in_turn(first, second, images, counted.append), strict=True):
        alone = predict(model, images)
        assert np.array_equal(answers.logits, alone.logits)
        assert np.array_equal(answers.labels, alone.labels)
        assert answers.seconds > 0
    assert sum(counted) == 2 * len(images), "the warm-up is not counted"


def test_models_that_answer_another_question_are_refused() -> None:
    model = tiny_model()
    check_comparable(model, model)
    others = build(replace(model.config, classes=("a", "b", "x")))
    with pytest.raises(
        PrimeSVTError, match=r"tells 3 classes apart \(a, b, c, ...\), but the one.*3 classes apart \(a, b, x, ...\)"
    ):
        check_comparable(model, others)
    larger = build(replace(model.config, image_size=(16, 16)))
    with pytest.raises(PrimeSVTError, match=r"reads 8x8 pixels with 1 channel.*reads 16x16 pixels"):
        check_comparable(model, larger)
