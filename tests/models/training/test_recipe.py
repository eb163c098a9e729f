"""The schedule, and recipes that make no sense."""

import numpy as np
import pytest

from primesvt.models import PrimeSVTError, Recipe
from primesvt.models.training.recipe import learning_rate


def test_the_learning_rate() -> None:
    recipe = Recipe(learning_rate=1.0, warm_up=0.1)
    rates = [learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.5 * (1 + np.cos(np.pi * 89 / 90)))
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(Recipe(learning_rate=1.0, warm_up=1.0), 0, 1) == 1.0


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
