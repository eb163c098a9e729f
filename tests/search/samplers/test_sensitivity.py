"""Our sampler: Optuna's contract, no memory but the study's, and plans that are worth a trial."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase
from optuna.trial import TrialState

from primesvt.search import Constraints, SearchSpace, ratios
from primesvt.search.allocation import Allocation, Curves
from primesvt.search.optuna_private import write_system_attr
from primesvt.search.samplers import Problem, SensitivitySampler, make_sampler
from primesvt.search.workers import WORKER

from ..synthetic import DIRECTIONS, STORAGES, Store, plans

KINDS = ("stem", "mlp", "attention", "output")


@dataclass
class Deep:
    """A model of a model: layers of four kinds, of which only some stand anything, and not the same in every seed.

    Args:
        blocks: Layers of each kind.
        seed: Of the layers' harm.
        limits: The limits.
    """

    blocks: int = 5
    seed: int = 0
    limits: Constraints = field(default_factory=Constraints)
    asked: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)  # noqa: S311
        self.kinds = {f"{kind}.{at}": kind for at in range(self.blocks) for kind in KINDS}
        kind_harm = {kind: 10 ** rng.uniform(-0.5, 1.2) for kind in KINDS} | {"stem": 60.0}
        self.harm = {layer: kind_harm[kind] * 10 ** rng.gauss(0, 0.4) for layer, kind in self.kinds.items()}
        sizes = {layer: rng.uniform(0.5, 2) * (0.5 if kind == "stem" else 1) for layer, kind in self.kinds.items()}
        self.sizes = {layer: size / sum(sizes.values()) for layer, size in sizes.items()}

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(layers=tuple(sorted(self.sizes, key=lambda layer: -self.sizes[layer])))

    @property
    def problem(self) -> Problem:
        return Problem(
            space=self.space,
            constraints=self.limits,
            saving=lambda plan: self.saving(plan.ratios),
            kinds=self.kinds,
            counter=self,
        )

    def bytes(self, ratios: Mapping[str, float]) -> int:
        return round(1e6 * (1 - self.saving(ratios)))

    def along(self, ratios: Mapping[str, float], layer: str, choices: Sequence[float]) -> np.ndarray:
        rest = self.saving({name: ratio for name, ratio in ratios.items() if name != layer})
        return np.round(1e6 * (1 - rest - self.sizes[layer] * np.array(choices)))

    def saving(self, plan: Mapping[str, float]) -> float:
        return sum(self.sizes[layer] * ratio for layer, ratio in plan.items())

    def drop(self, plan: Mapping[str, float]) -> float:
        chance = random.Random(f"{self.seed} {sorted(plan.items())}")  # noqa: S311
        return min(80.0, 1.3 * sum(self.harm[name] * ratio**2 for name, ratio in plan.items()) + chance.gauss(0, 0.4))

    def __call__(self, trial: optuna.Trial) -> tuple[float, float]:
        plan = dict(self.space.suggest(trial).ratios)
        self.asked.append(plan)
        for name, value in self.limits.values(drop=self.drop(plan), saving=self.saving(plan)).items():
            trial.set_constraint(name, value)
        trial.set_user_attr("divergence", max(self.drop(plan), 0.001) / 30)
        return self.saving(plan), 0.9 - self.drop(plan) / 100

    def run(self, trials: int, seed: int = 0) -> optuna.Study:
        study = optuna.create_study(sampler=own(self, seed), directions=DIRECTIONS)
        study.optimize(self, n_trials=trials)
        return study


def own(land: Deep, seed: int = 0) -> SensitivitySampler:
    sampler = make_sampler("sensitivity", land.problem, seed=seed)
    assert isinstance(sampler, SensitivitySampler)
    return sampler


def small() -> Deep:
    return Deep(blocks=1, limits=Constraints(max_drop=6, min_saving=0.3))


class TestContract(BasicSamplerTestCase, MultiObjectiveSamplerTestCase, RelativeSamplerTestCase):
    """Optuna's own suites. Their parameters are none of the layers, so the sampler has to draw them."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: own(small())


def feasible(study: optuna.Study) -> list[int]:
    return [t.number for t in study.trials if all(value <= 0 for value in t.constraints.values())]


def largest(land: Deep) -> float:
    """What the best plan within the limits saves, by the formula without its noise."""
    errors = np.array(
        [[1.3 * land.harm[layer] * ratio**2 for ratio in land.space.levels] for layer in land.space.layers]
    )
    curves = Curves(land.space.layers, land.space.levels, errors)
    return land.saving(Allocation(curves, land).for_error(land.limits.max_drop))


def test_a_plan_within_the_limits_in_ten_trials_and_most_of_the_best_in_24() -> None:
    """Of the first three landscapes on which the formula has a plan at all; one of them hides its best plans well."""
    shares = []
    for seed in (0, 2, 4):
        land = Deep(seed=seed)
        study = land.run(24, seed)
        assert feasible(study)[0] < 10
        shares.append(max(study.trials[number].values[0] for number in feasible(study)) / largest(land))
    assert min(shares) > 0.7
    assert sum(shares) / len(shares) > 0.85


def test_no_plan_is_asked_twice_and_none_misses_the_memory_target() -> None:
    land = small()
    study = land.run(20)
    assert len({ratios(plan) for plan in land.asked}) == 20
    assert all(land.saving(plan) >= 0.3 - 1e-6 for plan in land.asked)
    phases = {t.user_attrs["phase"] for t in study.trials}
    assert {"best", "explore", "front"} <= phases <= {"reach", "best", "explore", "front"}


def test_no_plan_is_asked_that_misses_another_limit_which_needs_no_image() -> None:
    land = small()
    problem = replace(land.problem, keeps=lambda plan: sum(plan.ratios.values()) >= 2)
    study = optuna.create_study(sampler=make_sampler("sensitivity", problem, seed=0), directions=DIRECTIONS)
    study.optimize(land, n_trials=12)
    assert all(sum(plan.values()) >= 2 - 1e-6 for plan in land.asked)
    impossible = replace(land.problem, keeps=lambda _plan: False)
    study = optuna.create_study(sampler=make_sampler("sensitivity", impossible, seed=0), directions=DIRECTIONS)
    study.optimize(land, n_trials=3)
    assert len(study.trials) == 3


def test_a_limit_of_what_only_images_tell_is_looked_for_in_smaller_plans() -> None:
    land = small()
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        values = land(trial)
        # At the memory target, seven tenths of the operations are left.
        trial.set_constraint("synops", 1 - values[0] - 0.5)
        return values

    study.optimize(objective, n_trials=12)
    assert feasible(study)


def test_a_target_that_no_plan_meets_is_no_reason_to_stop() -> None:
    land = Deep(blocks=1, limits=Constraints(max_drop=6, min_saving=0.99))
    assert len(land.run(6).trials) == 6


def test_a_space_in_which_every_plan_is_known_repeats_one() -> None:
    land = Deep(blocks=1, limits=Constraints(max_drop=80, min_saving=0.0))
    space = SearchSpace(layers=land.space.layers[:1], step=0.4, max_ratio=0.8)
    problem = Problem(space=space, constraints=land.limits, saving=lambda plan: land.saving(plan.ratios))
    study = optuna.create_study(sampler=SensitivitySampler(problem, seed=0), directions=DIRECTIONS)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        plan = space.suggest(trial).ratios
        for name, value in land.limits.values(drop=land.drop(plan), saving=land.saving(plan)).items():
            trial.set_constraint(name, value)
        return 0.0, 0.0

    study.optimize(objective, n_trials=5)
    assert {next(iter(plan.values())) for plan in plans(study)} == {0.0, 0.4, 0.8}


def test_a_branch_that_nobody_needs_is_removed() -> None:
    land = Deep(blocks=2, limits=Constraints(max_drop=3, min_saving=0.2))
    branches = {"0.mixer": ("attention.0",), "1.mixer": ("attention.1", "output.1")}
    # Every layer is dear, and so is one branch; the other costs nothing.
    land.harm = dict.fromkeys(land.harm, 40.0)
    problem = replace(land.problem, space=replace(land.space, branches=branches))
    sampler = make_sampler("sensitivity", problem, seed=0)
    study = optuna.create_study(sampler=sampler, directions=DIRECTIONS)
    drop = land.drop

    def without(plan: Mapping[str, float]) -> float:
        ones = {layer for layer, ratio in plan.items() if ratio == 1}
        assert ones in [set(), {"attention.0"}, {"attention.1", "output.1"}, {"attention.0", "attention.1", "output.1"}]
        return drop(
            {
                layer: 0.0 if layer in ("attention.1", "output.1") and ratio == 1 else ratio
                for layer, ratio in plan.items()
            }
        )

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        plan = dict(problem.space.suggest(trial).ratios)
        for name, value in land.limits.values(drop=without(plan), saving=land.saving(plan)).items():
            trial.set_constraint(name, value)
        trial.set_user_attr("divergence", max(without(plan), 0.001) / 30)
        return land.saving(plan), 0.9 - without(plan) / 100

    study.optimize(objective, n_trials=16)
    best = max(feasible(study), key=lambda number: study.trials[number].values[0])
    assert study.trials[best].params["attention.1"] == study.trials[best].params["output.1"] == 1
    assert study.trials[best].params["attention.0"] < 1


def test_the_same_seed_gives_the_same_study_and_another_seed_another() -> None:
    first = plans(small().run(8))
    assert first == plans(small().run(8))
    assert first != plans(small().run(8, seed=1))


@pytest.mark.parametrize("kind", STORAGES)
def test_killed_at_any_trial_it_goes_on_with_the_same_trials(kind: str, tmp_path: Path, dead_worker: str) -> None:
    land = small()
    expected = plans(land.run(8))
    store = Store(kind, tmp_path)
    for at in range(8):
        study = store.study(own(land))
        if at % 2:  # in the middle of a trial, by kill -9
            trial = study.ask()
            land.space.suggest(trial)
            write_system_attr(study, study.trials[-1], WORKER, dead_worker)
        else:

            def interrupted(trial: optuna.Trial) -> tuple[float, float]:
                land.space.suggest(trial)
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                study.optimize(interrupted, n_trials=1)
        study = store.study(own(land))
        study.optimize(land, n_trials=1)
    assert plans(study) == expected


def test_workers_take_different_plans() -> None:
    land = small()
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    begun = [study.ask() for _ in range(6)]
    tried = [ratios(land.space.suggest(trial).ratios) for trial in begun]
    assert len(set(tried)) == 6
    for trial in begun:
        study.tell(trial, land(trial))
    study.optimize(land, n_trials=12, n_jobs=3)
    assert len(study.get_trials(states=(TrialState.COMPLETE,))) == 18


def test_trials_of_others_count_and_what_says_nothing_does_not() -> None:
    land = small()
    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    study.enqueue_trial(dict.fromkeys(land.space.layers, 0.9))
    study.enqueue_trial(dict.fromkeys(land.space.layers, 0.0))
    study.optimize(land, n_trials=2)
    study.add_trial(optuna.trial.create_trial(values=[0.0, 0.0]))
    study.optimize(land, n_trials=6)
    assert len(study.trials) == 9
    alone = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    alone.optimize(land, n_trials=8)
    assert plans(alone)[:6] != plans(study)[3:]


def test_divergence_may_be_unknown_or_infinite() -> None:
    land = small()

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        values = land(trial)
        trial.set_user_attr("divergence", json.loads("Infinity"))
        return values

    study = optuna.create_study(sampler=own(land), directions=DIRECTIONS)
    study.optimize(objective, n_trials=8)
    assert feasible(study)
