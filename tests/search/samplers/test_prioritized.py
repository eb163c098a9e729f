"""The policy as a sampler: Optuna's contract, ends by itself, and no memory but the study's."""

import doctest
import random
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from primesvt.models import PrimeSVTError
from primesvt.search import Constraints, PrioritizedPolicy, ratios
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.samplers import PrioritizedSampler, prioritized
from primesvt.search.workers import WORKER

from ..synthetic import DIRECTIONS, LAYERS, RATES, STORAGES, Landscape, Store, plans


class TestContract(BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase):
    """Optuna's own suites. Their parameters are none of the policy's layers, so the sampler has to draw them."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: Landscape().sampler(exhaust=True)


@pytest.fixture(params=STORAGES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(request.param, tmp_path)


def whole_pass(land: Landscape, **options: float | bool) -> tuple[list[dict[str, float]], dict[str, float]]:
    """The trials of a study that was not interrupted, and its final plan."""
    study = optuna.create_study(sampler=land.sampler(**options), directions=DIRECTIONS)
    study.optimize(land, n_trials=1000)
    return plans(study), dict(study.sampler.result(study))  # type: ignore[attr-defined]


def small() -> Landscape:
    return Landscape(constraints=Constraints(max_drop=3, min_saving=0.9))


def test_a_pass_goes_on_until_all_limits_but_that_of_accuracy_are_kept() -> None:
    land = Landscape(constraints=Constraints(max_drop=3, min_saving=0.2))
    _, plan = whole_pass(land)
    assert 100 * (1 - land.saving(plan)) > 50
    limited = Landscape(constraints=Constraints(max_drop=3, min_saving=0.2, limits={"synops": 50}))
    _, plan = whole_pass(limited)
    assert 100 * (1 - limited.saving(plan)) <= 50


@pytest.mark.parametrize("trials", [None, 1000])
def test_a_plain_study_ends_by_itself_and_running_it_again_measures_nothing(store: Store, trials: int | None) -> None:
    land = small()
    study = store.study(land.sampler())
    study.optimize(land, n_trials=trials)
    assert len(study.trials) == len(land.asked) == 9
    assert land.sampler().result(study) == {"large": 0.6, "middle": 0.6, "small": 0.3}

    again = store.study(land.sampler())
    again.optimize(land, n_trials=trials)
    assert len(land.asked) == 9
    assert len(plans(again)) == 9
    assert [t.state for t in again.trials[9:]] == [TrialState.PRUNED]
    assert land.sampler().result(again) == {"large": 0.6, "middle": 0.6, "small": 0.3}


def test_every_trial_says_which_step_it_is(store: Store) -> None:
    land = small()
    study = store.study(land.sampler())
    study.optimize(land)
    attrs = [(t.user_attrs["phase"], t.user_attrs["layer"]) for t in study.trials]
    assert attrs == [
        *[("robustness", "large")] * 2,
        *[("greedy", "middle")] * 2,
        ("robustness", "middle"),
        *[("greedy", "small")] * 3,
        ("robustness", "small"),
    ]


def die_by_exception(land: Landscape, study: optuna.Study, _worker: str) -> None:
    def interrupted(trial: optuna.Trial) -> tuple[float, float]:
        land.space.suggest(trial)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.optimize(interrupted, n_trials=1)


def die_in_mid_trial(land: Landscape, study: optuna.Study, worker: str) -> None:
    trial = study.ask()
    land.space.suggest(trial)
    write_system_attr(study, study.trials[-1], WORKER, worker)


def die_before_the_first_parameter(_land: Landscape, study: optuna.Study, worker: str) -> None:
    study.ask()
    write_system_attr(study, study.trials[-1], WORKER, worker)


def die_between_trials(_land: Landscape, _study: optuna.Study, _worker: str) -> None:
    pass


every_death = pytest.mark.parametrize(
    "die", [die_by_exception, die_in_mid_trial, die_before_the_first_parameter, die_between_trials]
)


@every_death
def test_killed_before_every_trial_it_goes_on_with_the_same_trials(
    store: Store, tmp_path: Path, dead_worker: str, die: Callable[[Landscape, optuna.Study, str], None]
) -> None:
    land = small()
    expected, final = whole_pass(land)
    study = store.study(land.sampler())
    for _ in expected:
        study = store.study(land.sampler())
        die(land, study, dead_worker)
        study.optimize(land, n_trials=1)
    assert plans(study) == expected
    assert study.sampler.result(study) == final  # type: ignore[attr-defined]


@every_death
def test_killed_before_one_trial_it_goes_on_with_the_same_trials(
    tmp_path: Path, dead_worker: str, die: Callable[[Landscape, optuna.Study, str], None]
) -> None:
    land = small()
    expected, final = whole_pass(land)
    for k in range(len(expected)):
        own = Store("memory", tmp_path)
        study = own.study(land.sampler())
        if k:
            study.optimize(land, n_trials=k)
        die(land, study, dead_worker)
        study = own.study(land.sampler())
        study.optimize(land, n_trials=1000)
        assert plans(study) == expected
        assert land.sampler().result(study) == final


@settings(max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from([0.3, 0.6, 0.95]),
    st.booleans(),
    st.lists(st.sampled_from(["run", "run", "fail", "stale"]), max_size=40),
)
def test_no_history_of_deaths_changes_the_trials(
    dead_worker_for_hypothesis: str, seed: int, target: float, exhaust: bool, deaths: list[str]
) -> None:
    land = Landscape(noise=2.0, seed=seed, constraints=Constraints(max_drop=3, min_saving=target))
    expected, final = whole_pass(land, exhaust=exhaust)
    study = optuna.create_study(sampler=land.sampler(exhaust=exhaust), directions=DIRECTIONS)
    for death in deaths:
        if land.sampler(exhaust=exhaust).result(study) is not None:
            break
        study.sampler = land.sampler(exhaust=exhaust)
        if death == "run":
            study.optimize(land, n_trials=1)
        elif death == "fail":
            die_by_exception(land, study, "")
        else:
            die_in_mid_trial(land, study, dead_worker_for_hypothesis)
    study.optimize(land)
    assert [p for p in plans(study) if p][: len(expected)] == expected
    assert land.sampler(exhaust=exhaust).result(study) == final


@pytest.fixture(scope="session")
def dead_worker_for_hypothesis(dead_worker: str) -> str:
    return dead_worker


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("jobs", [2, 3])
def test_threads_end_with_the_plan_of_one(seed: int, jobs: int) -> None:
    land = Landscape(noise=2.0, seed=seed, constraints=Constraints(max_drop=3, min_saving=0.6))
    _, final = whole_pass(land)
    study = optuna.create_study(sampler=land.sampler(), directions=DIRECTIONS)
    study.optimize(land, n_trials=1000, n_jobs=jobs)
    assert land.sampler().result(study) == final
    # What is kept was measured, alone and in the pass. What is refuted may be so by another plan than in a single
    # worker's study: while one measures a layer, another may find that the next does not stand a rate alone.
    tried, kept = set(map(ratios, plans(study))), list(final.items())
    assert {ratios({layer: rate}) for layer, rate in kept} <= tried
    assert {ratios(dict(kept[:count])) for count in range(1, len(kept) + 1)} <= tried
    assert not any(t.state == TrialState.RUNNING for t in study.trials)


def test_workers_share_the_probes() -> None:
    """Asked and told by hand: no plan is begun twice while there is another to begin."""
    land = small()
    study = optuna.create_study(sampler=land.sampler(probe_first=True), directions=DIRECTIONS)
    begun = [study.ask() for _ in range(9)]
    tried = [dict(land.space.suggest(trial).ratios) for trial in begun]
    assert tried == [{layer: rate} for layer in LAYERS for rate in RATES]


def test_workers_that_finish_in_any_order(tmp_path: Path) -> None:
    land = small()
    _, final = whole_pass(land)
    chance = random.Random(1)  # noqa: S311
    store = Store("sqlite", tmp_path)
    studies = [store.study(land.sampler()) for _ in range(2)]
    open_trials: list[tuple[optuna.Study, optuna.Trial, tuple[float, float]]] = []
    for study in studies * 40:
        if study.sampler.result(study) is not None:  # type: ignore[attr-defined]
            break
        trial = study.ask()
        open_trials.append((study, trial, land(trial)))
        if len(open_trials) > 1:
            owner, done, values = open_trials.pop(chance.randrange(2))
            owner.tell(done, values)
    else:
        pytest.fail("the pass did not end")
    assert all(study.sampler.result(study) == final for study in studies)  # type: ignore[attr-defined]


def test_a_trial_of_the_users_own_is_taken_into_account() -> None:
    land = small()
    expected, final = whole_pass(land)
    study = optuna.create_study(sampler=land.sampler(), directions=DIRECTIONS)
    study.enqueue_trial(expected[4])
    study.enqueue_trial(dict.fromkeys(LAYERS, 0.1))  # none of the policy's plans
    study.optimize(land)
    assert len(plans(study)) == len(expected) + 1
    assert land.sampler().result(study) == final


def test_other_parameters_and_lone_objectives_do_not_confuse_it() -> None:
    land = small()
    _, final = whole_pass(land)

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_categorical("colour", ["red", "green"])
        trial.suggest_float("rate", 1e-5, 1e-1, log=True)
        return land(trial)[0]

    study = optuna.create_study(sampler=land.sampler(), direction="maximize")
    study.optimize(objective)
    assert len(study.trials) == 9
    assert land.sampler().result(study) == final
    assert len({t.params["rate"] for t in study.trials}) == 9


def test_a_failed_objective_is_tried_again() -> None:
    land = small()
    expected, _ = whole_pass(land)
    chance = random.Random(0)  # noqa: S311

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        values = land(trial)
        if chance.random() < 0.3:
            raise RuntimeError
        return values

    study = optuna.create_study(sampler=land.sampler(), directions=DIRECTIONS)
    study.optimize(objective, catch=(RuntimeError,))
    assert any(t.state == TrialState.FAIL for t in study.trials)
    assert plans(study) == expected


def test_an_objective_without_constraints_is_told_so_at_once() -> None:
    land = small()
    study = optuna.create_study(sampler=land.sampler(), directions=DIRECTIONS)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        land.space.suggest(trial)
        trial.set_constraint("accuracy_drop", 1)
        return 0.0, 0.0

    with pytest.raises(PrimeSVTError, match=r"trial.set_constraint\('memory_saving', ...\); got constraints"):
        study.optimize(objective, n_trials=1000)


def test_an_objective_with_another_range_is_told_so_at_once() -> None:
    land = small()
    study = optuna.create_study(sampler=land.sampler(), directions=DIRECTIONS)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        for layer in LAYERS:
            trial.suggest_float(layer, 0.0, 0.2)
        trial.set_constraint("accuracy_drop", 1)
        trial.set_constraint("memory_saving", 1)
        return 0.0, 0.0

    with pytest.raises(PrimeSVTError, match=r"did not try the plan proposed.*instead of \{'large': 0.9\}"):
        study.optimize(objective, n_trials=1000)


@pytest.mark.parametrize(
    ("distributions", "text"),
    [
        ({"a": FloatDistribution(0, 0.9)}, "no parameter 'b', a layer of the policy"),
        (
            {"a": FloatDistribution(0, 0.9), "b": FloatDistribution(0, 0.5)},
            "ratio 0.6 is not in the search space of 'b'",
        ),
        (
            {"a": FloatDistribution(0.1, 0.9), "b": FloatDistribution(0, 0.9)},
            "ratio 0 is not in the search space of 'a'",
        ),
        ({"a": FloatDistribution(0, 0.8, step=0.2), "b": FloatDistribution(0, 1)}, "ratio 0.3 is not"),
    ],
)
def test_a_space_that_does_not_fit_is_refused(distributions: dict[str, FloatDistribution], text: str) -> None:
    policy = PrioritizedPolicy(layers=("a", "b"), rates=(0.3, 0.6))
    with pytest.raises(PrimeSVTError, match=text):
        PrioritizedSampler(policy, distributions)


def test_the_documented_example_runs() -> None:
    assert doctest.testmod(prioritized).failed == 0
    assert doctest.testmod(prioritized).attempted > 5
