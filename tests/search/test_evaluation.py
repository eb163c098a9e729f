"""What is kept of a measurement, and how far two models' answers are apart."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from primesvt.search import Evaluation, finite_divergence
from primesvt.search.evaluation import MAX_DIVERGENCE

EVALUATION = Evaluation(
    right=8, images=10, bytes=5, memory_saving=0.5, seconds=1.0, divergence=0.25, measures={"parameters": 3.0}
)


def test_it_is_data() -> None:
    assert Evaluation.from_json(json.loads(json.dumps(EVALUATION.to_json()))) == EVALUATION


def test_that_of_an_earlier_version() -> None:
    old = {"right": 8, "images": 10, "bytes": 5, "memory_saving": 0.5, "seconds": 1.0, "decided_early": False}
    assert Evaluation.from_json(old) == replace(EVALUATION, divergence=None, measures={})
    with pytest.raises(TypeError):
        Evaluation.from_json({"something": "else"})


def test_divergence_is_pytorchs() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 7, 5)).astype(np.float32) * 3
    expected = F.kl_div(
        torch.from_numpy(two).double().log_softmax(1), torch.from_numpy(one).double().softmax(1), reduction="batchmean"
    )
    assert finite_divergence(one, two) == pytest.approx(float(expected))


def test_divergence_by_hand() -> None:
    even, sure = np.log([[0.5, 0.5]]), np.log([[0.75, 0.25]])
    assert finite_divergence(even, sure) == pytest.approx(0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25))
    assert finite_divergence(even, even + 7) == pytest.approx(0.0, abs=1e-12), "logits have no zero"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_answers_that_are_no_numbers_are_very_far(bad: float) -> None:
    assert finite_divergence(np.zeros((2, 2)), np.array([[0.0, 0.0], [0.0, bad]])) == MAX_DIVERGENCE
    json.dumps(MAX_DIVERGENCE, allow_nan=False)
