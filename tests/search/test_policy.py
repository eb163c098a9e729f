"""The policy against the paper's steps, written down once more as plainly as possible."""

import itertools
from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.search import Constraints, Finished, Outcome, PrioritizedPolicy, Step, ratios

from .synthetic import LAYERS, RATES, Landscape

Plan = dict[str, float]


def reference(land: Landscape, *, slack: float, exhaust: bool, probe_first: bool) -> tuple[list[Plan], Plan]:
    """All plans that are measured, in order, and the final one."""
    limit, target = land.constraints.max_drop - land.constraints.margin, land.constraints.min_saving
    order: list[Plan] = []

    def drop(plan: Plan) -> float:
        if plan not in order:
            order.append(plan)
        return round(land.drop(plan) - limit, 9)

    def fits(plan: Plan, layer: str, rate: float) -> bool:
        if probe_first:
            return drop({layer: rate}) <= slack and drop({**plan, layer: rate}) <= 0
        return drop({**plan, layer: rate}) <= 0 and drop({layer: rate}) <= slack

    for layer, rate in itertools.product(land.shares, RATES if probe_first else ()):
        drop({layer: rate})
    plan: Plan = {}
    for layer in land.shares:
        rate = next((rate for rate in reversed(RATES) if fits(plan, layer, rate)), None)
        if rate is not None:
            plan = {**plan, layer: rate}
            if round(target - land.saving(plan), 9) <= 0 and not exhaust:
                break
    return order, plan


def follow(policy: PrioritizedPolicy, outcome: Callable[[Mapping[str, float]], Outcome]) -> tuple[list[Step], Plan]:
    """All steps of the policy, one at a time, and the final plan."""
    measured: dict[frozenset[tuple[str, float]], Outcome] = {}
    steps = []
    while not isinstance(step := policy.next(measured), Finished):
        assert ratios(step.ratios) not in measured, "the same plan twice"
        steps.append(step)
        measured[ratios(step.ratios)] = outcome(step.ratios)
    return steps, dict(step.ratios)


landscapes = st.builds(
    Landscape,
    shares=st.permutations([0.5, 0.3, 0.15, 0.05]).map(lambda shares: dict(zip("abcd", shares, strict=True))),
    harm=st.lists(st.floats(0, 8), min_size=4, max_size=4).map(lambda harm: dict(zip("abcd", harm, strict=True))),
    noise=st.sampled_from([0.0, 1.0, 3.0]),
    seed=st.integers(0, 1000),
    constraints=st.builds(Constraints, max_drop=st.floats(1, 6), min_saving=st.floats(0, 0.95), margin=st.floats(0, 1)),
)
slacks = st.sampled_from([0.0, 0.0, -1.0, 1.0, 3.0])


@given(landscapes, slacks, st.booleans(), st.booleans())
def test_measures_what_the_paper_says_and_ends_where_it_ends(
    land: Landscape, slack: float, exhaust: bool, probe_first: bool
) -> None:
    steps, plan = follow(land.policy(slack=slack, exhaust=exhaust, probe_first=probe_first), land.outcome)
    order, final = reference(land, slack=slack, exhaust=exhaust, probe_first=probe_first)
    assert [dict(step.ratios) for step in steps] == order
    assert plan == final
    assert all(step.phase == ("greedy" if len(step.ratios) > 1 else "robustness") for step in steps)
    assert all(step.layer in step.ratios for step in steps)


@given(landscapes, slacks, st.booleans())
def test_probes_when_they_are_needed_lead_to_the_plan_of_all_probes_first(
    land: Landscape, slack: float, exhaust: bool
) -> None:
    lazy, plan = follow(land.policy(slack=slack, exhaust=exhaust), land.outcome)
    eager, final = follow(land.policy(slack=slack, exhaust=exhaust, probe_first=True), land.outcome)
    assert plan == final
    if land.noise == 0 and slack >= 0:  # what a layer does not stand alone, it does not stand on top of others
        assert len(lazy) <= len(eager)


@given(landscapes, slacks, st.booleans())
def test_the_final_plan_keeps_the_limit_and_saves_most_of_the_pass(
    land: Landscape, slack: float, exhaust: bool
) -> None:
    policy = land.policy(slack=slack, exhaust=exhaust, probe_first=True)
    steps, plan = follow(policy, land.outcome)
    if not plan:
        return
    assert land.outcome(plan).excess <= 0
    passed = [step.ratios for step in steps if step.phase == "greedy" and land.outcome(step.ratios).excess <= 0]
    assert all(land.saving(other) <= land.saving(plan) + 1e-12 for other in passed)


@given(landscapes, slacks, st.booleans(), st.booleans(), st.randoms(use_true_random=False), st.integers(2, 9))
def test_workers_end_with_the_plan_of_one(
    land: Landscape, slack: float, exhaust: bool, probe_first: bool, random: Random, count: int
) -> None:
    """Workers take steps whenever they are free, finish in any order, and some die before they measured anything."""
    policy = land.policy(slack=slack, exhaust=exhaust, probe_first=probe_first)
    alone, final = follow(policy, land.outcome)
    measured: dict[frozenset[tuple[str, float]], Outcome] = {}
    running: list[frozenset[tuple[str, float]]] = []
    while not isinstance(step := policy.next(measured), Finished):
        while len(running) < count:
            guess = policy.next(measured, running.__contains__)
            assert isinstance(guess, Step)
            plan = ratios(guess.ratios)
            assert plan not in measured
            assert plan not in running or guess.ratios == step.ratios or probe_first, "only the next step is waited for"
            assert ratios(step.ratios) in (plan, *running), "the next step comes first"
            running.append(plan)
        done = running.pop(random.randrange(len(running)))
        if random.random() < 0.8:  # otherwise its worker dies
            measured[done] = land.outcome(dict(done))
            running = [plan for plan in running if plan != done]  # who waited for it
    assert dict(step.ratios) == final
    if probe_first:  # All that one worker measures is measured; guesses come on top.
        assert {ratios(step.ratios) for step in alone} <= measured.keys()


def in_step(
    policy: PrioritizedPolicy, outcome: Callable[[Mapping[str, float]], Outcome], count: int
) -> tuple[int, int]:
    """Rounds of workers who all take as long for a plan, and the plans measured."""
    measured: dict[frozenset[tuple[str, float]], Outcome] = {}
    rounds = 0
    while not isinstance(policy.next(measured), Finished):
        begun: dict[frozenset[tuple[str, float]], Mapping[str, float]] = {}
        for _ in range(count):
            step = policy.next(measured, begun.__contains__)
            begun[ratios(step.ratios)] = step.ratios
        measured |= {plan: outcome(step) for plan, step in begun.items()}
        rounds += 1
    return rounds, len(measured)


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("excess", [-1.0, 1.0])
def test_workers_learn_whether_plans_keep_the_limit_and_hardly_guess_wrong(count: int, excess: float) -> None:
    policy = PrioritizedPolicy(layers=tuple("abcdefghijkl"), rates=(0.3, 0.6, 0.9), exhaust=True)

    def outcome(plan: Mapping[str, float]) -> Outcome:
        # One layer keeps the limit in any case, so that there is something to be on top of.
        return Outcome(excess if len(plan) > 1 else -1.0, False)

    one = len(follow(policy, outcome)[0])
    rounds, plans = in_step(policy, outcome, count)
    assert rounds <= one / count + 2
    assert plans <= one + count + 1


def test_whoever_finds_nothing_to_guess_waits_for_the_next_step() -> None:
    """By hand: both plans of two layers kept the limit, so with half a one added on both sides 5 of 6 plans do."""
    policy = PrioritizedPolicy(layers=("a", "b", "c", "d"), rates=(0.3, 0.6), exhaust=True)
    plans = [{"a": 0.6}, {"a": 0.6, "b": 0.6}, {"b": 0.6}, {"a": 0.6, "b": 0.6, "c": 0.6}, {"c": 0.6}]
    measured = {ratios(plan): Outcome(-1.0, False) for plan in plans}
    running: list[frozenset[tuple[str, float]]] = []
    guesses = []
    for _ in range(4):
        step = policy.next(measured, running.__contains__)
        guesses.append({layer: rate for layer, rate in step.ratios.items() if len(step.ratios) == 1 or layer == "d"})
        running.append(ratios(step.ratios))
    # If d stands 0.6 on top of the others, so it does alone, and all is over; else 0.3 is next, and the same of it.
    assert guesses == [{"d": 0.6}, {"d": 0.6}, {"d": 0.3}, {"d": 0.3}]
    assert [len(plan) for plan in running] == [4, 1, 4, 1]
    # Whoever comes now waits for the first of them.
    assert policy.next(measured, running.__contains__) == policy.next(measured)


def test_a_worker_takes_another_probe_while_one_runs() -> None:
    policy = Landscape().policy(probe_first=True)
    first = policy.next({})
    second = policy.next({}, {ratios({"large": 0.3})}.__contains__)
    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert (dict(first.ratios), dict(second.ratios)) == ({"large": 0.3}, {"large": 0.6})


def test_what_workers_guess_while_the_largest_rate_is_measured() -> None:
    land = Landscape()

    def begun(count: int, measured: Mapping[frozenset[tuple[str, float]], Outcome]) -> list[Plan]:
        running: list[Plan] = []
        for _ in range(count):
            step = land.policy().next(measured, [ratios(plan) for plan in running].__contains__)
            assert isinstance(step, Step)
            running.append(dict(step.ratios))
        return running

    # Nothing is known: as likely as not it keeps the limit.
    assert begun(3, {}) == [{"large": 0.9}, {"large": 0.6}, {"large": 0.9, "middle": 0.9}]
    # Still nothing of plans on top of others; those that miss it come first.
    measured = {ratios({"large": rate}): land.outcome({"large": rate}) for rate in RATES}
    assert begun(2, measured) == [{"large": 0.6, "middle": 0.9}, {"large": 0.6, "middle": 0.6}]
    # Most miss it.
    measured |= {ratios({"large": 0.6, "middle": rate}): Outcome(1.0, False) for rate in (0.6, 0.9)}
    top = {"large": 0.6}
    assert begun(3, measured) == [{**top, "middle": 0.3}, {**top, "small": 0.9}, {**top, "small": 0.6}]


def test_the_pass_waits_for_the_last_probe() -> None:
    land = Landscape()
    policy = land.policy(probe_first=True)
    measured = {
        ratios({layer: rate}): land.outcome({layer: rate})
        for layer in LAYERS
        for rate in RATES
        if (layer, rate) != ("small", 0.9)
    }
    step = policy.next(measured, {ratios({"small": 0.9})}.__contains__)
    assert step == Step("robustness", "small", {"small": 0.9})


def test_largest_layer_first_and_largest_rate_that_fits() -> None:
    # By hand: large stands 0.6 (1.44 of 3 points), middle 0.9 (1.62) does not fit on top (3.06), 0.6 does.
    steps, plan = follow(Landscape().policy(exhaust=True), Landscape().outcome)
    assert [dict(step.ratios) for step in steps] == [
        {"large": 0.9},
        {"large": 0.6},
        {"large": 0.6, "middle": 0.9},
        {"large": 0.6, "middle": 0.6},
        {"middle": 0.6},
        {"large": 0.6, "middle": 0.6, "small": 0.9},
        {"large": 0.6, "middle": 0.6, "small": 0.6},
        {"large": 0.6, "middle": 0.6, "small": 0.3},
        {"small": 0.3},
    ]
    assert plan == {"large": 0.6, "middle": 0.6, "small": 0.3}


def test_with_probes_first_what_a_layer_does_not_stand_alone_is_not_tried_together() -> None:
    steps, plan = follow(Landscape().policy(exhaust=True, probe_first=True), Landscape().outcome)
    assert len(steps[:-4]) == len(LAYERS) * len(RATES)
    assert [dict(step.ratios) for step in steps[-4:]] == [
        {"large": 0.6, "middle": 0.9},
        {"large": 0.6, "middle": 0.6},
        {"large": 0.6, "middle": 0.6, "small": 0.6},
        {"large": 0.6, "middle": 0.6, "small": 0.3},
    ]
    assert plan == {"large": 0.6, "middle": 0.6, "small": 0.3}


def test_stops_as_soon_as_the_memory_target_is_met() -> None:
    land = Landscape(constraints=Constraints(max_drop=3, min_saving=0.48))
    steps, plan = follow(land.policy(), land.outcome)
    assert plan == {"large": 0.6, "middle": 0.6}
    assert land.saving(plan) == pytest.approx(0.48)
    assert [dict(step.ratios) for step in steps[-2:]] == [plan, {"middle": 0.6}]


def test_layers_behind_the_end_are_never_asked() -> None:
    land = Landscape(constraints=Constraints(max_drop=3, min_saving=0.3))
    steps, plan = follow(land.policy(), land.outcome)
    assert plan == {"large": 0.6}
    assert [dict(step.ratios) for step in steps] == [{"large": 0.9}, {"large": 0.6}]


def test_exhausted_without_meeting_the_target_ends_with_what_was_kept() -> None:
    land = Landscape(constraints=Constraints(max_drop=3, min_saving=0.95))
    assert follow(land.policy(), land.outcome)[1] == {"large": 0.6, "middle": 0.6, "small": 0.3}


def test_a_layer_that_stands_nothing_is_no_target() -> None:
    land = Landscape(harm={"large": 100, "middle": 2, "small": 8})
    steps, plan = follow(land.policy(), land.outcome)
    assert "large" not in plan
    assert not any(step.phase == "greedy" and "large" in step.ratios for step in steps)


def test_nothing_can_be_pruned() -> None:
    land = Landscape(harm=dict.fromkeys(LAYERS, 100.0))
    steps, plan = follow(land.policy(exhaust=True), land.outcome)
    assert plan == {}
    assert len(steps) == 9


@pytest.mark.parametrize(("slack", "rate"), [(0.0, 0.6), (0.24, 0.6), (-2.0, 0.3), (-3.0, 0.0)])
def test_slack_tightens_the_targets_of_the_largest_layer(slack: float, rate: float) -> None:
    # large: 0.36, 1.44, 3.24 points at 0.3, 0.6, 0.9; the limit is 3.
    _, plan = follow(Landscape().policy(slack=slack, exhaust=True), Landscape().outcome)
    assert plan.get("large", 0.0) == rate


@pytest.mark.parametrize(
    ("slack", "plan"), [(0.5, {"large": 0.6, "middle": 0.6}), (1.0, {"large": 0.6, "middle": 0.9})]
)
def test_slack_loosens_the_targets_where_together_is_easier_than_alone(slack: float, plan: Plan) -> None:
    """Accuracy does not fall evenly: middle loses 3.8 points alone and 2.9 on top of large."""
    policy = PrioritizedPolicy(layers=("large", "middle"), rates=(0.6, 0.9), slack=slack, exhaust=True)
    table: dict[tuple[tuple[str, float], ...], float] = {
        (("large", 0.9),): 1.0,
        (("large", 0.6),): -1.0,
        (("large", 0.6), ("middle", 0.9)): -0.1,
        (("middle", 0.9),): 0.8,
        (("large", 0.6), ("middle", 0.6)): -0.5,
        (("middle", 0.6),): 0.1,
    }
    assert follow(policy, lambda ratios: Outcome(table[tuple(ratios.items())], False))[1] == plan


def test_the_best_trial_of_a_study_may_be_a_probe_and_not_the_policys_plan() -> None:
    """The order is by parameters; bytes saved may tell another story. The policy is exact, not clever."""
    land = Landscape(shares={"large": 0.2, "middle": 0.7, "small": 0.1}, harm=dict.fromkeys(LAYERS, 1.0))
    land.constraints = Constraints(max_drop=3, min_saving=0.18)
    steps, plan = follow(land.policy(probe_first=True), land.outcome)
    assert plan == {"large": 0.9}
    assert max(land.saving(step.ratios) for step in steps) > land.saving(plan)


def test_ratios_are_a_key() -> None:
    assert ratios({"a": 0.1 + 0.2, "b": 0.0}) == ratios({"b": 0, "a": 0.3}) == ratios({"a": 0.3})
    assert ratios({"a": 0.3}) != ratios({"a": 0.35})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"layers": (), "rates": RATES}, "needs layers"),
        ({"layers": ("a", "a"), "rates": RATES}, "each once"),
        ({"layers": LAYERS, "rates": ()}, "Rates must be above 0"),
        ({"layers": LAYERS, "rates": (0.5, 1.0)}, "below 1"),
        ({"layers": LAYERS, "rates": (0.6, 0.3)}, "ascending"),
        ({"layers": LAYERS, "rates": RATES, "slack": float("nan")}, "slack"),
    ],
)
def test_nonsense_is_refused(values: dict[str, object], text: str) -> None:
    with pytest.raises(PrimeSVTError, match=text):
        PrioritizedPolicy(**values)  # type: ignore[arg-type]
