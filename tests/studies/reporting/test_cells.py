"""What tables say of plans."""

from dataclasses import replace

from primesvt.studies.reporting.cells import MeasuredCells, PlanCells

from .comparisons import comparison, plan, study


def test_a_plan_in_cells() -> None:
    compared = comparison([study("a", 0, plan("a", 0.5, 1.0))])
    shown = compared.winner
    assert shown is not None
    cells, test = PlanCells.of(compared, shown), shown.test
    low, high = test.interval
    assert (cells.accuracy, cells.accuracy_interval) == ("89.00%", f"{low:.2%} to {high:.2%}")
    low, high = test.drop_interval
    assert (cells.lost, cells.lost_interval) == ("1.00", f"[{low:.2f}, {high:.2f}]")
    assert cells.size == ("50,000", "50.00%")
    assert (cells.place, cells.kept) == ("a-seed0 #7", "yes")


def test_fine_tuned_a_plan_keeps_its_size() -> None:
    compared = comparison([study("a", 0, plan("a", 0.5, 1.0))])
    shown = compared.winner
    assert shown is not None
    cells = PlanCells.of(compared, shown)
    tuned = replace(cells, test=replace(shown.test, right=895, lost=5))
    assert (tuned.lost, tuned.accuracy) == ("0.50", "89.50%")
    assert (tuned.size, tuned.place) == (cells.size, cells.place)
    assert MeasuredCells(tuned.test).lost == "0.50"
