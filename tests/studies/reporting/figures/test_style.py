"""What all figures have in common."""

import plotly.graph_objects as go

from primesvt.studies.reporting.figures.style import colours, faint, finish_rows

from .comparisons import pair


def test_every_sampler_has_one_colour() -> None:
    found = colours(pair())
    assert list(found) == ["tpe", "random"]
    assert len(set(found.values())) == 2


def test_a_faint_colour_is_the_colour() -> None:
    assert faint("#0072B2", 0.2) == "rgba(0,114,178,0.2)"


def test_many_rows_are_lower_and_all_have_their_names() -> None:
    few, many = (finish_rows(go.Figure(), rows).layout for rows in (10, 60))
    assert many.height < 6 * few.height
    assert many.yaxis.dtick == 1
