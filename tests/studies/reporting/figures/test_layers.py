"""What the plans of the table remove."""

from dataclasses import replace

from primesvt.pruning import PruningPlan
from primesvt.studies.reporting.figures import layers

from ..comparisons import comparison, plan, study
from .comparisons import pair


def test_plans_stand_side_by_side_and_layers_have_their_share() -> None:
    (heat,) = layers(pair()).data
    assert list(heat.x) == ["tpe", "random"]
    assert list(heat.y) == ["stem · 80.0%", "blocks.0.hidden · 20.0%"]
    assert [list(row) for row in heat.z] == [[0.5, 0.5], [0.0, 0.0]]
    assert [list(row) for row in heat.text] == [["0.50", "0.50"], ["-", "-"]]


def test_settings_are_named_where_two_columns_would_have_one_name() -> None:
    names = ("prioritized (rates 0.2; slack 1)", "prioritized (rates 0.8; slack 1)", "nsga2 (step 0.1)")
    (heat,) = layers(comparison([study(name, 0, plan("", 0.5, 1.0)) for name in names])).data
    assert list(heat.x) == ["prioritized<br>(rates 0.2;<br>slack 1)", "prioritized<br>(rates 0.8;<br>slack 1)", "nsga2"]


def test_a_plan_that_removes_nothing_is_no_column() -> None:
    nothing = replace(plan("", 0.3, 0.0), plan=PruningPlan())
    assert list(layers(comparison([study("a", 0, nothing)])).data[0].x) == []
