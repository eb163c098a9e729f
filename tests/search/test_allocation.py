"""Allocation against looking at every plan, on instances that are small enough."""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.pruning import ByteCounter
from primesvt.search import Outcome, PrioritizedPolicy, Step, ratios
from primesvt.search.allocation import Allocation, Curves
from primesvt.search.policy import Ratios

from .models import tiny_model

LEVELS = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Chain:
    """Layers one behind the other, each with a matrix that it shares with the next: bytes are products of widths."""

    sizes: tuple[int, ...]

    def bytes(self, ratios: Mapping[str, float]) -> int:
        widths = [4, *(round(size * (1 - ratios.get(f"l{at}", 0.0))) for at, size in enumerate(self.sizes)), 3]
        return sum(a * b for a, b in itertools.pairwise(widths))

    def along(self, ratios: Mapping[str, float], layer: str, choices: Sequence[float]) -> np.ndarray:
        return np.array([self.bytes({**ratios, layer: ratio}) for ratio in choices], dtype=np.float64)


@st.composite
def chains(draw: st.DrawFn) -> Allocation:
    sizes = tuple(draw(st.lists(st.sampled_from([4, 8, 16, 32]), min_size=1, max_size=4)))
    steps = draw(
        st.lists(st.lists(st.floats(0.001, 4), min_size=3, max_size=3), min_size=len(sizes), max_size=len(sizes))
    )
    errors = np.array([[0.0, *np.cumsum(row)] for row in steps])
    # Two layers at a time, from the first or from the second on.
    pairs = tuple((at, at + 1) for at in range(draw(st.integers(0, 1)), len(sizes) - 1, 2))
    branches = pairs if draw(st.booleans()) else ()
    removals = np.array([draw(st.floats(0.001, 8)) for _ in branches])
    layers = tuple(f"l{at}" for at in range(len(sizes)))
    return Allocation(Curves(layers, LEVELS, errors, branches, removals), Chain(sizes))


def every(allocation: Allocation) -> list[tuple[float, int]]:
    """Error and bytes of every plan."""
    curves = allocation.curves
    sides = [range(len(LEVELS))] * len(curves.layers) + [range(2)] * len(curves.branches)
    choices = map(np.array, itertools.product(*sides))
    return [(curves.error(choice), allocation.cost.bytes(curves.ratios(choice))) for choice in choices]


def harm(allocation: Allocation, plan: Mapping[str, float]) -> float:
    """Error of a plan."""
    curves = allocation.curves
    ratios = [plan.get(layer, 0.0) for layer in curves.layers]
    gone = [all(ratios[at] == 1 for at in own) for own in curves.branches]
    return curves.error(np.array([*(0 if ratio == 1 else curves.levels.index(ratio) for ratio in ratios), *gone]))


def moved(allocation: Allocation, plan: Mapping[str, float]) -> list[tuple[float, int]]:
    """Error and bytes of every plan that differs in one layer, or lacks one more branch."""
    layers = allocation.curves.layers
    others = [{**plan, layer: to} for layer in layers if plan.get(layer) != 1 for to in LEVELS]
    others += [{**plan, **{layers[at]: 1.0 for at in own}} for own in allocation.curves.branches]
    return [(harm(allocation, other), allocation.cost.bytes(other)) for other in others]


@given(chains(), st.floats(0.05, 1))
def test_the_plan_for_a_size_is_small_enough_and_no_move_makes_it_better(allocation: Allocation, share: float) -> None:
    most = share * allocation.cost.bytes({})
    plan = allocation.for_bytes(most)
    if plan is None:
        assert min(size for _, size in every(allocation)) > most
        return
    assert allocation.cost.bytes(plan) <= most
    error = harm(allocation, plan)
    assert all(size > most or other >= error - 1e-9 for other, size in moved(allocation, plan))


@given(chains(), st.floats(0, 10))
def test_the_plan_for_an_error_keeps_it_and_no_move_makes_it_smaller(allocation: Allocation, most: float) -> None:
    plan = allocation.for_error(most)
    assert harm(allocation, plan) <= most + 1e-9
    assert all(error > most or size >= allocation.cost.bytes(plan) for error, size in moved(allocation, plan))


@given(chains(), st.floats(0, 10))
def test_the_plan_for_an_error_is_never_larger_than_the_papers_policy_finds(
    allocation: Allocation, most: float
) -> None:
    policy = PrioritizedPolicy(layers=allocation.curves.layers, rates=LEVELS[1:], exhaust=True)
    known: dict[Ratios, Outcome] = {}
    while isinstance(step := policy.next(known), Step):
        error = harm(allocation, step.ratios)
        known[ratios(step.ratios)] = Outcome(error - most, small_enough=False)
    assert allocation.cost.bytes(allocation.for_error(most)) <= allocation.cost.bytes(step.ratios)


def test_it_is_nearly_always_the_best_of_all_plans() -> None:
    rng, same, worst = np.random.default_rng(0), 0, 0.0
    for _ in range(100):
        sizes = tuple(rng.choice([4, 8, 16, 32], 5).tolist())
        errors = np.hstack([np.zeros((5, 1)), np.cumsum(rng.exponential(1, (5, 3)), axis=1)])
        allocation = Allocation(Curves(tuple(f"l{at}" for at in range(5)), LEVELS, errors), Chain(sizes))
        most = rng.uniform(0.2, 0.9) * allocation.cost.bytes({})
        plan, best = allocation.for_bytes(most), min((e for e, size in every(allocation) if size <= most), default=None)
        if best is None:
            assert plan is None
            continue
        assert plan is not None
        found = harm(allocation, plan)
        same += found <= best + 1e-9
        worst = max(worst, found / best - 1 if best else 0.0)
    assert same >= 85
    assert worst < 0.3


def test_by_hand() -> None:
    """Two equal layers: the one whose error is smaller loses more, and what costs nothing goes."""
    curves = Curves(("l0", "l1"), LEVELS, np.array([[0, 1, 4, 9], [0, 0, 0, 0]], dtype=float))
    allocation = Allocation(curves, Chain((8, 8)))
    assert allocation.for_error(0) == {"l1": 0.75}
    assert allocation.for_error(1) == {"l0": 0.25, "l1": 0.75}
    assert allocation.for_bytes(10) is None
    assert allocation.for_bytes(1000) in ({}, {"l1": 0.75}, {"l1": 0.25}, {"l1": 0.5})


def test_a_branch_goes_where_that_costs_less_than_what_it_saves() -> None:
    curves = Curves(("l0", "l1"), LEVELS, np.array([[0, 1, 4, 9], [0, 1, 4, 9]], float), ((1,),), np.array([3.0]))
    allocation = Allocation(curves, Chain((8, 8)))
    assert allocation.for_error(2.5) == {"l0": 0.25, "l1": 0.25}
    assert allocation.for_error(3) == {"l1": 1.0}
    assert allocation.for_error(7) == {"l0": 0.5, "l1": 1.0}
    assert allocation.for_bytes(32) == {"l1": 1.0}
    dear = Allocation(Curves(curves.layers, LEVELS, curves.errors, ((1,),), np.array([30.0])), Chain((8, 8)))
    assert harm(dear, dear.for_bytes(60) or {}) == 5
    with pytest.raises(PrimeSVTError, match="Every branch must have an error of at least 0"):
        Curves(curves.layers, LEVELS, curves.errors, ((1,),), np.array([-1.0]))


def test_on_a_model_with_the_embedding() -> None:
    model = tiny_model("spikformer")
    counter = ByteCounter.of(model)
    layers, levels = tuple(counter.groups), tuple(round(0.1 * at, 1) for at in range(10))
    errors = np.outer(np.linspace(1, 3, len(layers)), np.square(levels))
    allocation = Allocation(Curves(layers, levels, errors), counter)
    whole = counter.bytes({})
    sizes = [0.9, 0.7, 0.5, 0.3]
    plans = [allocation.for_bytes(share * whole) for share in sizes]
    assert all(plan and counter.bytes(plan) <= share * whole for plan, share in zip(plans, sizes, strict=True))
    errors = [harm(allocation, plan or {}) for plan in plans]
    assert errors == sorted(errors)


def test_sixty_layers_take_less_than_a_second() -> None:
    rng = np.random.default_rng(0)
    model = tiny_model()
    counter = ByteCounter.of(model)
    names = [f"l{at}" for at in range(60)]
    # A chain of sixty layers, with the polynomial of a model's counter.
    pairs = np.diag(rng.uniform(1, 9, 60), 1)
    group = next(group for group in counter.groups.values() if group.stream is None and group.heads == 1)
    widths = {name: int(rng.integers(16, 512)) for name in names}
    chain = ByteCounter(dict.fromkeys(names, group), pairs + pairs.T, np.zeros(60), lambda _: widths)
    levels = tuple(round(0.05 * at, 2) for at in range(20))
    errors = np.hstack([np.zeros((60, 1)), np.cumsum(rng.exponential(1, (60, 19)), axis=1)])
    allocation = Allocation(Curves(tuple(names), levels, errors), chain)
    started = time.process_time()
    plan = allocation.for_error(60.0)
    seconds = time.process_time() - started
    assert plan
    assert harm(allocation, plan) <= 60
    assert seconds < 2  # a second, on a machine that does nothing else


@pytest.mark.parametrize(
    ("levels", "errors", "text"),
    [
        ((0.0, 0.5), np.zeros((2, 2)), r"must be \[1, 2\], layers by levels"),
        ((0.1, 0.5), np.zeros((1, 2)), "Levels must ascend from 0"),
        ((0.0, 0.5, 0.4), np.zeros((1, 3)), "Levels must ascend from 0"),
        ((0.0, 0.5), np.array([[0.1, 1]]), "0 where nothing is removed"),
        ((0.0, 0.5), np.array([[0, np.nan]]), "must be numbers"),
    ],
)
def test_nonsense_is_refused(levels: tuple[float, ...], errors: np.ndarray, text: str) -> None:
    with pytest.raises(PrimeSVTError, match=text):
        Curves(("a",), levels, errors)
