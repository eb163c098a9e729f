"""What the figures of a report show."""

from dataclasses import replace
from typing import Any

import pytest

from primesvt.pruning import PrunableLayer, PruningPlan, Robustness
from primesvt.search import Constraints, Evaluation
from primesvt.studies.reporting import figures
from primesvt.studies.reporting.comparison import Comparison, ReportedPlan, StudyResult
from primesvt.studies.reporting.history import History
from primesvt.studies.reporting.measurement import Measurement

UNPRUNED = Evaluation(right=900, images=1000, bytes=1000, memory_saving=0.0, seconds=1.0)
SAME = Measurement(right=880, images=1000, lost=0, gained=0)
LIMITS = Constraints(max_drop=3, min_saving=0.25)


def plan(trial: int, saving: float, right: int, *, violation: float = 0.0) -> ReportedPlan:
    return ReportedPlan(
        study="s",
        trial=trial,
        plan=PruningPlan({"stem": saving}),
        selection=replace(UNPRUNED, right=right, bytes=round(1000 * (1 - saving)), memory_saving=saving),
        drop=(900 - right) / 10,
        feasible=violation == 0,
        violation=violation,
        test=Measurement(right=right - 20, images=1000, lost=900 - right, gained=0),
    )


def study(sampler: str, seed: int, *plans: ReportedPlan) -> StudyResult:
    """A study whose trials are its front."""
    name = f"{sampler}-{seed}"
    own = tuple(replace(each, study=name) for each in plans)
    keep = [each for each in own if each.feasible]
    return StudyResult(
        name=name,
        sampler=sampler,
        deterministic=False,
        seed=seed,
        over=False,
        history=History(
            points=tuple((each.selection.memory_saving, each.selection.accuracy) for each in own),
            whole=tuple(i != 1 for i in range(len(own))),
            feasible=tuple(each.feasible for each in own),
            images=tuple(1000 * (i + 1) for i in range(len(own))),
            seconds=tuple(2.0 * (i + 1) for i in range(len(own))),
        ),
        front=own,
        best=max(keep, key=lambda each: each.selection.memory_saving, default=None),
        nearest=None if keep else min(own, key=lambda each: each.violation),
    )


def comparison(*studies: StudyResult) -> Comparison:
    layers = [("stem", 400, 0.4), ("blocks.0.hidden", 100, 0.1)]
    return Comparison(
        family="spikformer",
        parameters=1000,
        bytes=1000,
        data="digits",
        constraints=LIMITS,
        baseline=UNPRUNED,
        test_baseline=SAME,
        layers=tuple(PrunableLayer(name, "mlp", 8, 1, size, share, (), ()) for name, size, share in layers),
        robustness=None,
        studies=studies,
    )


@pytest.fixture
def two() -> Comparison:
    """Two samplers, of which one finds plans that keep the limits, with two seeds, and one does not."""
    return comparison(
        study("tpe", 0, plan(3, 0.3, 890), plan(5, 0.4, 875)),
        study("random", 0, plan(1, 0.2, 860, violation=6.0)),
        study("tpe", 1, plan(7, 0.5, 880)),
    )


def named(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def test_every_sampler_has_one_colour(two: Comparison) -> None:
    found = figures.colours(two)
    assert list(found) == ["tpe", "random"]
    assert len(set(found.values())) == 2


def test_of_equal_plans_the_most_accurate_is_the_best_and_the_nearest() -> None:
    """Of the nearest ones, too: they were told apart by how much they miss the limits alone."""
    found = figures.best_of_samplers(
        comparison(
            study("a", 0, plan(1, 0.3, 880)),
            study("a", 1, plan(2, 0.3, 890)),
            study("b", 0, plan(3, 0.2, 860, violation=5.0)),
            study("b", 1, plan(4, 0.1, 870, violation=5.0)),
        )
    )
    assert {sampler: best.trial for sampler, best in found.items() if best} == {"a": 2, "b": 4}


def test_a_plan_that_keeps_the_limits_comes_before_one_that_is_near() -> None:
    found = figures.best_of_samplers(
        comparison(study("a", 0, plan(1, 0.9, 899, violation=0.1)), study("a", 1, plan(2, 0.3, 880)))
    )
    assert found["a"] is not None
    assert found["a"].trial == 2


@pytest.mark.parametrize(("test", "accuracy", "least"), [(True, 86.0, 85.0), (False, 88.0, 87.0)])
def test_fronts_show_the_set_that_they_are_of(two: Comparison, *, test: bool, accuracy: float, least: float) -> None:
    figure = figures.fronts(two, test=test)
    ring = named(figure, "chosen plan")
    assert (list(ring.x), list(ring.y)) == ([50.0], [accuracy])
    assert list(named(figure, "unpruned").y) == [88.0 if test else 90.0]
    lines = {(shape.y0, shape.y1) for shape in figure.layout.shapes if shape.type == "line"}
    assert (least, least) in lines
    assert figure.layout.xaxis.range[1] == pytest.approx(55)
    assert f"accuracy on the {'test' if test else 'selection'} set" in figure.layout.yaxis.title.text


def test_a_front_has_intervals_and_says_who_keeps_the_limits(two: Comparison) -> None:
    front = named(figures.fronts(two, test=False), "random")
    assert list(front.marker.color) == ["white"]
    low, high = two.studies[1].front[0].selection.interval
    assert front.error_y.array[0] == pytest.approx(100 * high - 86)
    assert front.error_y.arrayminus[0] == pytest.approx(86 - 100 * low)
    assert list(named(figures.fronts(two, test=False), "tpe").x) == [30.0, 40.0]


def test_every_trial_is_a_dot_and_an_open_one_where_it_was_rejected_early(two: Comparison) -> None:
    cloud = named(figures.fronts(two, test=False), "tpe, every trial")
    assert list(cloud.x) == [30.0, 40.0, 50.0]
    assert list(cloud.marker.symbol) == ["circle", "circle-open", "circle"]
    assert all(trace.name != "tpe, every trial" for trace in figures.fronts(two, test=True).data)


def test_plans_of_the_table_are_in_the_window_however_bad(two: Comparison) -> None:
    bad = comparison(*two.studies, study("gp", 0, plan(1, 0.9, 300, violation=57.0)))
    bottom = figures.fronts(bad, test=False).layout.yaxis.range[0]
    assert bottom < 30.0
    # Another plan of a front that is as bad, and that the table does not show, does not widen it.
    crowd = comparison(study("gp", 0, plan(1, 0.3, 880), plan(2, 0.9, 300, violation=57.0)))
    assert figures.fronts(crowd, test=False).layout.yaxis.range[0] == pytest.approx(87 - 12 - 1)


def test_the_hypervolume_is_drawn_against_three_costs(two: Comparison) -> None:
    figure = figures.hypervolume(two)
    assert len(figure.data) == 2 * 3 * 3  # references, costs, studies
    first = [trace for trace in figure.data if "tpe-0" in trace.hovertemplate][:3]
    assert [list(trace.x) for trace in first] == [[0, 1, 2], [0, 1000, 2000], [0, 2.0, 4.0]]
    assert list(first[0].y) == [0, *two.studies[0].history.hypervolume(two.corner, feasible_only=True)]
    assert [trace.showlegend for trace in figure.data].count(True) == 2


def test_layers_show_their_size_and_what_each_plan_removes(two: Comparison) -> None:
    bars, heat = figures.layers(two).data
    assert list(bars.x) == [400, 100]
    assert list(heat.x) == ["tpe", "random"]
    assert [list(row) for row in heat.z] == [[0.5, 0.2], [0.0, 0.0]]


def test_robustness_marks_what_is_estimated_and_leaves_out_what_is_unknown() -> None:
    measured = Robustness(0.9, {"stem": {0.1: 0.89, 0.5: 0.4}, "head": {0.1: 0.9}}, frozenset({("stem", 0.5)}))
    (heat,) = figures.robustness(measured).data
    assert list(heat.x) == ["0.1", "0.5"]
    assert [list(row) for row in heat.text] == [["89.0", "~40.0"], ["90.0", ""]]
    assert heat.z[1][1] is None
