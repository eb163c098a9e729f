"""The two rules: the exact one against brute force, the bet against its exact distribution and its promised risk."""

import itertools
import math
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from primesvt.search import EXACT, STATISTICAL, Constraints, Counted, Evaluation, Rejection, StoppingRule
from primesvt.search.rejection import evidence


def rejection(unpruned: np.ndarray, allowed: int, risk: float = 0.0) -> Rejection:
    """All images are drawn at random."""
    order = np.arange(len(unpruned))
    return Rejection(
        order=order,
        ranks=order,
        drawn=len(order),
        unpruned=unpruned,
        allowed=allowed,
        least_drop=1.0,
        risk=risk,
    )


def population(lost: int, gained: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the unpruned model and the plan tell each image."""
    counts = [lost, gained, both, neither]
    return np.repeat([True, False, True, False], counts), np.repeat([False, True, True, False], counts)


answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60).map(
    lambda pairs: np.array(pairs, dtype=bool).T
)


@given(answers, st.integers(0, 20))
def test_the_exact_rule_rejects_what_cannot_keep_the_limit_and_nothing_else(pairs: np.ndarray, allowed: int) -> None:
    unpruned, right = pairs
    rule = rejection(unpruned, allowed)
    for seen in range(1, len(right)):
        best = np.concatenate([right[:seen], np.ones(len(right) - seen, dtype=bool)])
        possible = int(unpruned.sum()) - int(best.sum()) <= allowed
        assert rule.decide(right[:seen]) == ("" if possible else EXACT)
    assert rule.decide(right) == ""


@given(answers, st.integers(0, 20), st.sampled_from([0.0, 1e-9, 0.01, 0.3]), st.integers(1, 20))
def test_what_is_decided_stays_decided(pairs: np.ndarray, allowed: int, risk: float, batch: int) -> None:
    unpruned, right = pairs
    rule = rejection(unpruned, allowed, risk)
    decided = [bool(rule.decide(right[:seen])) for seen in range(batch, len(right), batch)]
    assert decided == sorted(decided)


def orders(lost: int, gained: int, same: int) -> Iterator[np.ndarray]:
    """Every distinct order, all as probable as each other."""
    count = lost + gained + same
    for where in itertools.combinations(range(count), lost):
        rest = [i for i in range(count) if i not in where]
        for there in itertools.combinations(rest, gained):
            x = np.zeros(count, dtype=np.int64)
            x[list(where)], x[list(there)] = 1, -1
            yield x


@pytest.mark.parametrize("images", [4, 7])
def test_villes_inequality_over_every_order_of_every_population(images: int) -> None:
    """Where the limit is kept, the largest capital on the way reaches a level with one in so many orders at most."""
    for lost, gained in itertools.product(range(images + 1), repeat=2):
        if lost + gained > images:
            continue
        everything = list(orders(lost, gained, images - lost - gained))
        for allowed in range(max(lost - gained, 0), images):
            largest = np.array([evidence(x[:-1], images, allowed) for x in everything])
            for level in (1.1, 1.5, 3, 10, 100):
                assert (largest >= math.log(level)).mean() <= 1 / level + 1e-12


def test_the_first_capital_by_hand() -> None:
    # Ten images, none may be lost: a lost one doubles what was bet, and m is 0, then -1 of 9.
    shares = np.array([0.95, 0.7, 0.5, 0.35, 0.22, 0.12, 0.06])
    assert evidence(np.array([1]), 10, 0) == pytest.approx(math.log((1 + shares).mean()))
    second = (1 + shares) * (1 + shares * (1 + 1 / 9) / (1 - 1 / 9))
    assert evidence(np.array([1, 1]), 10, 0) == pytest.approx(math.log(second.mean()))
    # The largest on the way counts, and an image alike costs nothing where m is 0.
    assert evidence(np.array([0, 1, -1]), 10, 0) == pytest.approx(math.log((1 + shares).mean()))


@pytest.mark.parametrize(("lost", "gained", "images"), [(30, 0, 500), (60, 30, 500), (15, 0, 150), (8, 4, 100)])
def test_plans_at_the_limit_are_rejected_no_more_often_than_promised(lost: int, gained: int, images: int) -> None:
    risk, times = 0.2, 3000
    both = (images - lost - gained) * 9 // 10
    unpruned, right = population(lost, gained, both, images - lost - gained - both)
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(times):
        order = rng.permutation(images)
        # What is decided stays decided, so this is the verdict of a look after every image.
        wrong += bool(rejection(unpruned[order], lost - gained, risk).decide(right[order][:-1]))
    assert wrong <= binom.ppf(0.999, times, risk)
    assert wrong > 0, "a bet that is never won proves nothing"


@pytest.mark.parametrize(("points", "most"), [(80, 64), (40, 192), (20, 384), (10, 1024)])
def test_plans_far_below_the_limit_are_rejected_after_few_images(points: int, most: int) -> None:
    """Of 4,000 images, at a limit of 3 points and the risk of the hundredth trial."""
    gained = 40
    lost = 40 * points + 120 + gained
    unpruned, right = population(lost, gained, 3600 - lost, 400 - gained)
    rng = np.random.default_rng(1)
    needed = []
    for _ in range(20):
        order = rng.permutation(4000)
        rule = rejection(unpruned[order], 120, 1e-4 / (100 * 101))
        needed.append(next(seen for seen in range(64, 4000, 64) if rule.decide(right[order][:seen])))
        assert rule.decide(right[order][: needed[-1]]) == STATISTICAL
    assert np.median(needed) <= most


def in_turn(unpruned: np.ndarray, sureness: np.ndarray, seed: int) -> Rejection:
    """As a study asks: some images at random, then what may be gained, then the least sure; at most 120 may be lost."""
    evaluation = Evaluation(right=int(unpruned.sum()), images=len(unpruned), bytes=1, memory_saving=0.0, seconds=1.0)
    limits = Constraints(max_drop=100 * 120 / len(unpruned))
    rule = StoppingRule(baseline=Counted(evaluation, unpruned), constraints=limits, risk=1e-4)
    return rule.rejection(f"{seed:024x}", 100, sureness)


def unsure(lost: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """4,000 images that the unpruned model tells but 400, how sure it is, and a plan that loses unsure ones."""
    rng = np.random.default_rng(lost)
    unpruned = rng.permutation(np.arange(4000) >= 400)
    sureness = rng.random(4000)
    losable = np.flatnonzero(unpruned & (sureness < 0.4))
    right = unpruned.copy()
    right[rng.choice(losable, lost, replace=False)] = False
    right[rng.choice(np.flatnonzero(~unpruned), 60, replace=False)] = True
    return unpruned, sureness, right


@pytest.mark.parametrize(("lost", "most"), [(181, 1960), (200, 1830), (260, 1500)])
def test_plans_just_beyond_the_limit_are_rejected_by_the_exact_rule(lost: int, most: int) -> None:
    unpruned, sureness, right = unsure(lost)
    rule = in_turn(unpruned, sureness, 0)
    needed = next(seen for seen in range(1, 4000) if rule.decide(right[rule.order][:seen]))
    assert rule.decide(right[rule.order][:needed]) == EXACT
    assert needed <= most
    inside = unsure(180)[2]
    whole = in_turn(*unsure(180)[:2], 0)
    assert not any(whole.decide(inside[whole.order][:seen]) for seen in range(1, 4000))


@pytest.mark.parametrize("seen", [200, 1200, 3900])
def test_what_the_first_images_let_expect_is_right_on_average(seen: int) -> None:
    unpruned, sureness, right = unsure(400)
    errors = []
    for seed in range(400):
        rule = in_turn(unpruned, sureness, seed)
        weights = rule.weights(seen)
        assert weights.sum() == pytest.approx(4000)
        assert (weights >= 1 - 1e-9).all()
        errors.append(100 * (rule.estimate(right[rule.order][:seen]) - right.mean()))
    assert abs(np.mean(errors)) <= 4 * np.std(errors) / 20 + 0.02
    # Seen are the unsure ones, all that lose: taken for all alike, they would be off by ten points.
    assert np.std(errors) < {200: 3.0, 1200: 1.5, 3900: 0.1}[seen]


def test_a_plan_that_loses_nothing_and_one_that_may_lose_all_are_not_rejected() -> None:
    unpruned = np.random.default_rng(0).permutation(np.arange(100) < 90)
    for right, allowed in ((unpruned, 0), (~unpruned, 80), (np.zeros(100, dtype=bool), 90)):
        rule = rejection(unpruned, allowed, 1e-3)
        assert {rule.decide(right[:seen]) for seen in range(1, 101)} == {""}


def test_a_look_at_ten_thousand_images_takes_milliseconds() -> None:
    rng = np.random.default_rng(0)
    unpruned, right = rng.random((2, 10_000)) < 0.9
    rule = rejection(unpruned, 300, 1e-8)
    started = time.process_time()
    for _ in range(10):
        assert rule.decide(right[:9_999]) == ""
    assert (time.process_time() - started) / 10 < 0.05
