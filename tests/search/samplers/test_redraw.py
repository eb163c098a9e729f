"""A plan that misses the limit of memory is drawn again, and never measured."""

from pathlib import Path

import optuna
import pytest

from primesvt.search import Constraints
from primesvt.search.attributes import REDRAWN
from primesvt.search.samplers import DrawOptions, Redraw, make_sampler, sampler_kind

from ..synthetic import DIRECTIONS, Landscape, Store, plans

DRAWN = ("random", "tpe", "nsga2", "gp")
LENGTH = 14


def landscape(target: float) -> Landscape:
    return Landscape(noise=1.0, constraints=Constraints(max_drop=3, min_saving=target))


def study_of(name: str, land: Landscape, redraws: int, trials: int = LENGTH) -> optuna.Study:
    options = sampler_kind(name).options(redraws=redraws)
    sampler = make_sampler(name, land.problem, options, seed=3)
    study = optuna.create_study(sampler=sampler, directions=DIRECTIONS)
    study.optimize(land, n_trials=trials)
    return study


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(("target", "redraws"), [(0.6, 4), (0.85, 1)])
def test_every_plan_measured_keeps_the_limit(name: str, target: float, redraws: int) -> None:
    land = landscape(target)
    study = study_of(name, land, redraws)
    assert all(land.saving(plan) >= target - 1e-9 for plan in land.asked)
    thrown = [trial.user_attrs.get(REDRAWN, 0) for trial in study.trials]
    assert max(thrown) == redraws + 1, "some were made smaller"
    assert len({tuple(sorted(plan.items())) for plan in land.asked}) > 1


def test_without_redraws_some_miss_it_and_those_that_keep_it_are_the_same() -> None:
    before, after = study_of("random", landscape(0.6), 0), study_of("random", landscape(0.6), 100)
    assert not any(REDRAWN in trial.user_attrs for trial in before.trials)
    kept = [trial.constraints["memory_saving"] <= 0 for trial in before.trials]
    assert 0 < sum(kept) < LENGTH
    for was, now, good in zip(before.trials, after.trials, kept, strict=True):
        assert (was.params == now.params) == good == (REDRAWN not in now.user_attrs)


def test_one_made_smaller_goes_on_in_its_direction_until_the_limit_is_kept() -> None:
    redraw = Redraw(landscape(0.6).problem, 1)
    assert redraw.smaller({"large": 0.4, "middle": 0.2, "small": 0.0}) == {"large": 0.9, "middle": 0.5, "small": 0.0}
    assert redraw.smaller({"large": 0.0, "middle": 0.1, "small": 0.0}) == {"large": 0.5, "middle": 0.9, "small": 0.5}


@pytest.mark.parametrize("name", ["random", "nsga2"])
def test_killed_and_resumed_draws_the_same(name: str, tmp_path: Path) -> None:
    land = landscape(0.6)
    expected = plans(study_of(name, land, 3))
    store, sampler = Store("journal", tmp_path), sampler_kind(name).make
    for until in (1, 5, LENGTH):
        study = store.study(sampler(land.problem, sampler_kind(name).options(redraws=3), 3))
        study.optimize(land, n_trials=until - len(plans(study)))
    assert plans(study) == expected


def test_as_many_as_that_are_refused() -> None:
    with pytest.raises(Exception, match="redraws must be"):
        DrawOptions(redraws=-1)
