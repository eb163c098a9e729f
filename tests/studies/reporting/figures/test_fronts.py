"""Fronts over seeds, with every plan, every trial and the limits."""

from dataclasses import replace
from typing import Any

import pytest

from primesvt.search import Constraints
from primesvt.studies.reporting.figures import fronts

from ..comparisons import comparison, plan, study
from .comparisons import front, named, pair


def levels(figure: Any) -> set[float]:
    return {shape.y0 for shape in figure.layout.shapes if shape.type == "line" and shape.y0 == shape.y1}


@pytest.mark.parametrize(("test", "accuracy"), [(True, 86.6), (False, 88.0)])
def test_fronts_show_the_set_that_they_are_of(*, test: bool, accuracy: float) -> None:
    figure = fronts(pair(), test=test)
    ring = named(figure, "chosen plan")
    assert (list(ring.x), list(ring.y)) == ([50.0], [accuracy])
    assert figure.layout.xaxis.range[1] == pytest.approx(55)
    assert f"accuracy on the {'test' if test else 'selection'} set" in figure.layout.yaxis.title.text
    assert levels(figure) == {87.0}


def test_the_margin_of_a_search_is_a_line_of_its_own() -> None:
    limits = Constraints(max_drop=3, min_saving=0.25, margin=1)
    figure = fronts(comparison([study("a", 0, plan("", 0.4, 1.0, limits=limits))], limits), test=True)
    assert levels(figure) == {87.0, 88.0}
    assert "with the margin of 1" in {note.text for note in figure.layout.annotations}


@pytest.mark.parametrize("test", [True, False])
def test_a_sampler_that_found_nothing_is_there_with_its_plan_of_the_table(*, test: bool) -> None:
    figure = fronts(pair(), test=test)
    chosen = named(figure, "random, plan of the table")
    assert (list(chosen.x), list(chosen.y)) == ([20.0], [85.0 if test else 86.0])
    assert chosen.marker.color == "white"
    assert chosen.error_y.array[0] > 0
    assert "limits kept: no" in chosen.text[0]
    nothing = replace(study("none", 0, plan("", 0.3, 50.0)), front=())
    figure = fronts(comparison([*pair().studies, nothing]), test=test)
    assert named(figure, "none").showlegend is not False


def test_a_plan_far_below_stands_at_the_lower_edge_and_widens_nothing() -> None:
    bad = comparison([*pair().studies, study("gp", 0, plan("", 0.9, 60.0))])
    figure = fronts(bad, test=True)
    bottom = figure.layout.yaxis.range[0]
    assert bottom > 87 - 4 * 3 - 2
    chosen = named(figure, "gp, plan of the table")
    assert (list(chosen.y), chosen.marker.symbol) == ([bottom], "triangle-down")
    assert "loses" not in chosen.text[0]
    assert "60.00 points lost" in chosen.text[0]
    assert "below this chart" in chosen.text[0]


def test_every_plan_that_was_measured_is_a_marker_filled_where_it_keeps_the_limits() -> None:
    plans = named(fronts(pair(), test=True), "tpe")
    assert list(plans.x) == [40.0, 30.0, 50.0]
    assert "white" not in plans.marker.color
    assert list(named(fronts(pair(), test=True), "random").marker.color) == ["white"]
    assert "limits kept: in the search, not on test" in plans.text[2]


def test_the_line_is_what_half_of_the_studies_attain_and_the_band_lies_between() -> None:
    studies = [study("a", i, plan("", saving, 1.0, test_drop=2.0)) for i, saving in enumerate((0.4, 0.5, 0.6))]
    figure = fronts(comparison(studies), test=True)
    assert (list(named(figure, "a, median").x), list(named(figure, "a, median").y)) == ([50.0], [88.0])
    # From what one attains, cut off where all stop attaining anything, to what all attain.
    assert max(named(figure, "a, band").x) == 40.0
    single = fronts(comparison(studies[:1]), test=True)
    assert all(trace.name != "a, band" for trace in single.data)


def test_a_band_is_a_staircase_between_two_fronts() -> None:
    studies = [
        front(study("a", 0, plan("", 0.6, 2.0)), plan("", 0.3, 0.0)),
        front(study("a", 1, plan("", 0.5, 2.5)), plan("", 0.3, 1.0)),
    ]
    band = named(fronts(comparison(studies), test=False), "a, band")
    corners = list(zip([round(x, 6) for x in band.x], [round(y, 6) for y in band.y], strict=True))
    assert corners == [
        (30, 90), (30, 90), (30, 88), (50, 88),
        (50, 87.5), (30, 87.5), (30, 89), (30, 89),
    ]  # fmt: skip


def test_every_trial_says_what_it_is_and_is_open_where_it_was_rejected_early() -> None:
    compared = pair()
    first = compared.studies[0]
    early = replace(first, history=replace(first.history, whole=(False, True)))
    figure = fronts(comparison([early, *compared.studies[1:]]), test=False)
    cloud = named(figure, "tpe, every trial")
    assert list(cloud.marker.symbol) == ["circle-open", "circle", "circle", "circle", "circle"]
    assert cloud.text[0] == "tpe-seed0, trial 0: limits missed, stopped after 100 images"
    assert cloud.text[1] == "tpe-seed0, trial 1: limits kept"
    assert all(not (trace.name or "").endswith("every trial") for trace in fronts(compared, test=True).data)
