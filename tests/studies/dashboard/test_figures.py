"""Figures of one study."""

from optuna.storages import InMemoryStorage

from primesvt.studies.dashboard import figures
from primesvt.studies.dashboard.inspected import Inspected

from .studies import TRIALS, study


def inspected(count: int = len(TRIALS)) -> Inspected:
    found = Inspected.of(study(InMemoryStorage(), trials=TRIALS[:count]))
    assert found is not None
    return found


def test_the_front_has_every_trial_and_both_limits() -> None:
    figure = figures.front(inspected())
    kept, missed = figure.data
    assert (list(kept.x), list(kept.y)) == ([60.0, 70.0], [2.0, 2.0])
    assert list(missed.text) == ["trial 0, stopped early", "trial 1", "trial 4"]
    assert {(shape.x0, shape.y0) for shape in figure.layout.shapes} == {(25.0, 0), (0, 3.0)}


def test_layers_are_those_of_the_best_plan_or_of_the_nearest() -> None:
    figure = figures.layers(inspected())
    assert figure is not None
    assert (list(figure.data[0].y), list(figure.data[0].x)) == (["stem", "head"], [0.7, 0.35])
    missed = figures.layers(inspected(1))
    assert missed is not None
    assert "it misses the limits" in missed.layout.title.text
    assert figures.layers(inspected(0)) is None


def test_robustness_is_of_trials_that_prune_one_layer() -> None:
    figure = figures.robustness(inspected())
    assert figure is not None
    (curve,) = figure.data
    assert (curve.name, list(curve.x), list(curve.y)) == ("stem", [0, 0.1], [0, 0.5])
    assert figures.robustness(inspected(1)) is None
