"""Paired measurements against hand arithmetic."""

import math

import numpy as np
import pytest

from primesvt.models import Predictions
from primesvt.studies.reporting.on_test_set import PairedAccuracy, TestSet

from ...conftest import noisy_data


def answers(classes: list[int]) -> Predictions:
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    return Predictions(np.array(classes), labels, np.eye(3, dtype=np.float32)[classes], 1.0)


def test_pairs_are_counted() -> None:
    unpruned = answers([0, 1, 2, 0, 1, 2, 0, 0, 0, 1])
    pruned = answers([1, 2, 0, 0, 1, 2, 0, 1, 0, 1])
    measured = PairedAccuracy.compare(pruned, unpruned)
    assert measured == PairedAccuracy(right=5, images=10, lost=3, gained=1)
    assert measured.accuracy == 0.5
    assert measured.drop == pytest.approx(20)


def test_the_interval_of_the_drop_is_paired() -> None:
    measured = PairedAccuracy(right=880, images=1000, lost=40, gained=20)
    half = 1.959964 * math.sqrt(61 - 20**2 / 1002) / 1002 * 100
    assert measured.drop == pytest.approx(2.0)
    assert measured.drop_interval == pytest.approx((2000 / 1002 - half, 2000 / 1002 + half))


def test_few_equal_answers_prove_little() -> None:
    same = answers([0] * 10)
    low, high = PairedAccuracy.compare(same, same).drop_interval
    assert high == -low == pytest.approx(100 * 1.959964 / 12, abs=1e-3)


def test_the_interval_covers_the_true_drop_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        kind = rng.multinomial(500, (0.8, 0.05, 0.03, 0.12))
        low, high = PairedAccuracy(right=0, images=500, lost=int(kind[1]), gained=int(kind[2])).drop_interval
        hits += low <= 2.0 <= high
    assert 0.92 <= hits / 400 <= 0.98


def test_what_was_seen_is_remembered_for_these_images_only(make_model) -> None:
    import optuna

    study = optuna.create_study()
    data = noisy_data()
    test = TestSet.open(make_model(), data.test)
    seen = {"k": PairedAccuracy(right=3, images=40, lost=2, gained=1)}
    test.remember(study, seen)
    assert test.remembered(study) == seen
    assert TestSet.open(make_model(), noisy_data(seed=1).test).remembered(study) == {}
    assert test.baseline.drop == 0
