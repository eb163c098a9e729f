"""What was found against what it cost."""

from primesvt.studies.reporting.figures import effort
from primesvt.studies.reporting.figures.effort import best_saving, distance

from .comparisons import pair


def test_found_nothing_is_no_saving_of_nothing() -> None:
    tpe, random, _ = pair().studies
    assert best_saving(tpe) == [None, 40.0]
    assert best_saving(random) == [None, None]
    assert distance(tpe) == [77.0, 0.0]
    assert distance(random) == [77.0, 1.0 + 5.0]


def test_three_curves_of_every_study_against_images_and_buttons_for_seconds_and_trials() -> None:
    compared = pair()
    figure = effort(compared)
    assert len(figure.data) == 3 * 3
    # By sampler: both studies of TPE, then that of random.
    assert [list(trace.x) for trace in figure.data[:3]] == [[100, 200], [100, 200, 300], [100, 200]]
    images, seconds, trials = figure.layout.updatemenus[0].buttons
    assert (images.label, seconds.label, trials.label) == ("images forwarded", "seconds", "trials")
    assert trials.args[0]["x"][:3] == [[1, 2], [1, 2, 3], [1, 2]]
    assert seconds.args[0]["x"][0] == [1.0, 2.0]
    assert all(len(button.args[0]["x"]) == len(figure.data) for button in (images, seconds, trials))
    volume = figure.data[6]
    # 15 % of the bytes above the corner, times half a point.
    assert [round(value, 6) for value in volume.y] == [0, 7.5]
    assert [trace.showlegend for trace in figure.data].count(True) == 2
