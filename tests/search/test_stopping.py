"""What the limit allows, by brute force, and how the risk is shared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.search import ACCURACY_DROP, Constraints, Counted, Evaluation, StoppingRule

KEY = "0123456789abcdef01234567"
ORDER = [2, 3, 4, 6, 9, 0, 5, 1, 8, 7]


def baseline(right: int, images: int) -> Counted:
    evaluation = Evaluation(right=right, images=images, bytes=100, memory_saving=0.0, seconds=1.0)
    return Counted(evaluation, np.arange(images) < right)


def rule(right: int = 90, images: int = 100, *, slack: float = 0.0, risk: float = 0.0, **limits: float) -> StoppingRule:
    return StoppingRule(
        baseline=baseline(right, images), constraints=Constraints(**{"max_drop": 3.0, **limits}), slack=slack, risk=risk
    )


def sure(made: StoppingRule) -> np.ndarray:
    """Of all images alike."""
    return np.ones(len(made.baseline.right))


# Limits as people write them, at which rounding counts.
points = st.integers(0, 300).map(lambda tenths: tenths / 10)


@given(st.integers(1, 400), st.floats(0, 1), points, points, points)
def test_what_is_allowed_by_brute_force(images: int, share: float, drop: float, margin: float, slack: float) -> None:
    right = round(share * images)
    limits = Constraints(max_drop=drop, margin=min(margin, drop))
    made = StoppingRule(baseline=baseline(right, images), constraints=limits, slack=slack)
    unpruned = made.baseline.evaluation

    def excess(lost: int) -> float:
        plan = replace(unpruned, right=right - lost)
        return limits.values(drop=plan.drop_from(unpruned), saving=0.5)[ACCURACY_DROP]

    assert made.allowed == max(lost for lost in range(right + 1) if excess(lost) <= slack)
    for lost in {0, made.allowed, min(made.allowed + 1, right), right}:
        assert made.keeps(replace(unpruned, right=right - lost)) == (excess(lost) <= slack)
    if made.allowed < right:
        least = made.rejection(KEY, 0, sure(made)).least_drop
        assert limits.values(drop=least, saving=0.5)[ACCURACY_DROP] > slack
        assert least == replace(unpruned, right=right - made.allowed - 1).drop_from(unpruned)


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({}, 3),
        ({"max_drop": 2.9}, 2),
        ({"max_drop": 0.0}, 0),
        ({"margin": 1.5}, 1),
        ({"slack": 1.0}, 4),
        ({"max_drop": 95.0}, 90),
    ],
)
def test_what_is_allowed_by_hand(limits: dict[str, float], allowed: int) -> None:
    assert rule(**limits).allowed == allowed


def test_a_limit_that_is_no_round_number_of_images() -> None:
    # 3 points of 1,234 images are 37.02.
    assert rule(1000, 1234).allowed == 37


def test_the_risks_of_all_places_add_up_to_the_studys() -> None:
    made = rule(risk=1e-4)
    risks = [made.rejection(KEY, place, sure(made)).risk for place in range(2000)]
    assert risks == sorted(risks, reverse=True)
    assert 0.999e-4 < sum(risks) < 1e-4
    assert risks[0] == 0.5e-4
    assert rule(risk=0.0).rejection(KEY, 5, np.ones(100)).risk == 0


def test_every_plan_has_an_order_of_its_own_that_is_the_same_in_every_process() -> None:
    made = rule(right=7, images=10)
    first = made.rejection(KEY, 0, sure(made))
    assert first.order.tolist() == ORDER
    assert first.unpruned.tolist() == [i < 7 for i in ORDER]
    assert made.rejection(KEY, 3, sure(made)).order.tolist() == ORDER, (
        "an interruption may move a trial, not its images"
    )
    orders = {tuple(made.rejection(f"{key:024x}", 0, sure(made)).order) for key in range(200)}
    assert len(orders) == 200
    assert {tuple(sorted(order)) for order in orders} == {tuple(range(10))}
    # Every image is as often the first, up to chance.
    first_images = np.bincount([order[0] for order in orders], minlength=10)
    assert first_images.min() > 5


def test_after_the_first_images_come_those_that_may_be_gained_and_then_the_least_sure() -> None:
    made, sureness = rule(right=900, images=1000), np.random.default_rng(0).random(1000)
    rejection = made.rejection(KEY, 0, sureness)
    first, others = rejection.order[: rejection.drawn], rejection.order[rejection.drawn :]
    assert sorted(rejection.order) == list(range(1000))
    assert rejection.drawn == 256
    gainable = int((others >= 900).sum())
    assert 0 < gainable < 100
    assert (others[:gainable] >= 900).all()
    assert (np.diff(sureness[others[gainable:]]) > 0).all()
    assert (np.diff(rejection.ranks[256:]) > 0).all()
    assert rejection.unpruned.tolist() == (rejection.order < 900).tolist()
    other = made.rejection(KEY[::-1], 0, sureness).order[:256]
    assert set(first) != set(other)


def test_bits_from_another_machine_may_count_an_image_more_or_less() -> None:
    """Feasible is what keeps the limit against the number on record, whatever the bits add up to."""
    for counted in (-2, 0, 1):
        measured = replace(baseline(90 + counted, 100), evaluation=baseline(90, 100).evaluation)
        made = StoppingRule(baseline=measured, constraints=Constraints(max_drop=3.0))
        rejection = made.rejection(KEY, 0, sure(made))
        # 87 of 100 right is as few as the limit allows: 13 wrong.
        right = np.ones(100, dtype=bool)
        right[:13] = False
        assert rejection.decide(right[:-1]) == ""
        right[13] = False
        assert rejection.decide(right[:-1]) == "exact"
