"""The space: a ratio for every layer, on a grid."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primesvt.models import PrimeSVTError
from primesvt.search import SearchSpace

from .synthetic import LAYERS


@pytest.mark.parametrize("step", [0.05, 0.1, 0.15, 0.3])
def test_ratios_lie_on_the_grid(step: float) -> None:
    count = int(0.95 / step + 1e-9)
    space = SearchSpace(layers=LAYERS, step=step, max_ratio=round(count * step, 9))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen: set[float] = set()
    for _ in range(100):
        trial = study.ask()
        plan = space.suggest(trial)
        study.tell(trial, 0.0)
        assert trial.params.keys() == set(LAYERS)
        assert 0 not in plan.ratios.values()
        seen |= set(plan.ratios.values())
    # Round numbers, not 0.30000000000000004.
    assert seen == {round(i * step, 9) for i in range(1, count + 1)}


def test_a_trial_is_read_back_as_the_plan_that_it_tried() -> None:
    space = SearchSpace(layers=LAYERS, criterion="l1")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    tried = []

    def objective(trial: optuna.Trial) -> float:
        tried.append(space.suggest(trial))
        return 0.0

    study.optimize(objective, n_trials=20)
    assert [space.plan_of(trial) for trial in study.trials] == tried
    assert {plan.criterion for plan in tried} == {"l1"}


def test_distributions_are_those_that_are_suggested() -> None:
    space = SearchSpace(layers=LAYERS, step=0.1, max_ratio=0.8)
    trial = optuna.create_study().ask()
    space.suggest(trial)
    assert trial.distributions == space.distributions
    assert list(space.distributions) == list(LAYERS)


@given(st.integers(1, 19), st.integers(1, 19))
def test_check(multiple: int, most: int) -> None:
    space = SearchSpace(layers=LAYERS, step=0.05, max_ratio=round(0.05 * most, 9))
    if multiple <= most:
        space.check((0.05 * multiple,))
    else:
        with pytest.raises(PrimeSVTError, match="not among those of the search"):
            space.check((0.05 * multiple,))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"layers": ()}, "no layer to prune"),
        ({"layers": LAYERS, "step": 0}, "steps above 0; got step 0"),
        ({"layers": LAYERS, "max_ratio": 1.0}, "below 1"),
        ({"layers": LAYERS, "step": 0.5, "max_ratio": 0.4}, "got step 0.5, max-ratio 0.4"),
        ({"layers": LAYERS, "step": float("nan")}, "got step nan"),
    ],
)
def test_nonsense_is_refused(values: dict[str, object], text: str) -> None:
    with pytest.raises(PrimeSVTError, match=text):
        SearchSpace(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(("step", "asked", "largest"), [(0.1, 0.95, 0.9), (0.3, 0.95, 0.9), (0.05, 0.95, 0.95)])
def test_the_largest_ratio_is_on_the_grid(step: float, asked: float, largest: float) -> None:
    space = SearchSpace(layers=LAYERS, step=step, max_ratio=asked)
    assert space.max_ratio == largest
    assert {d.high for d in space.distributions.values()} == {largest}


def test_rates_off_the_grid_are_named() -> None:
    with pytest.raises(PrimeSVTError, match=r"The ratio 0\.25 is not among those.*multiples of 0\.1 up to 0\.9"):
        SearchSpace(layers=LAYERS, step=0.1, max_ratio=0.9).check((0.1, 0.25, 0.33))
