"""Losses with one layer pruned."""

from primesvt.pruning import Robustness
from primesvt.studies.reporting.figures import robustness

MEASURED = Robustness(
    0.9, {"stem": {0.1: 0.89, 0.5: 0.4}, "head": {0.1: 0.9001, 0.9: 0.88}}, frozenset({("stem", 0.5)})
)


def test_losses_are_in_points_estimates_are_marked_and_what_is_unknown_is_empty() -> None:
    (heat,) = robustness(MEASURED).data
    assert list(heat.x) == ["0.1", "0.5", "0.9"]
    assert [list(row) for row in heat.text] == [["1.0", "~50.0", ""], ["0.0", "", "2.0"]]
    assert heat.z[1][1] is None
    assert (heat.zmin, round(heat.zmax, 6)) == (0, 50)


def test_the_limit_is_a_line_between_what_keeps_it_and_what_does_not() -> None:
    figure = robustness(MEASURED, 0.5)
    # The stem misses it from its first rate on, the head from a rate after one that was not measured.
    assert [(line.x0, line.y0) for line in figure.layout.shapes] == [(-0.5, -0.5), (1.5, 0.5)]
    bar = figure.data[0].colorbar
    assert dict(zip(bar.ticktext, bar.tickvals, strict=True)) == {"0": 0, "0.5 (limit)": 0.5, "2 and more": 2.0}


def test_the_scale_is_one_for_the_colour_blind() -> None:
    (heat,) = robustness(MEASURED, 3.0).data
    assert heat.colorscale[0][1] == "#00224e"
