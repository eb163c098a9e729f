"""What each repair step adds: the plan is asked again with fewer steps, and never with all."""

from dataclasses import replace

from primesvt.pruning import PruningPlan
from primesvt.studies.reporting.evidence import gains_table
from primesvt.studies.reporting.on_test_set import PairedAccuracy
from primesvt.studies.reporting.repair_gain import gains_of

from .comparisons import comparison, plan, study


def measured(right: int) -> PairedAccuracy:
    return PairedAccuracy(right=right, images=100, lost=90 - right, gained=0)


def test_every_step_in_turn() -> None:
    asked = []

    def measure(plan: PruningPlan) -> PairedAccuracy:
        asked.append(plan)
        return measured(40 + 20 * len(plan.repair))

    whole = PruningPlan({"stem": 0.5}, repair=("norm", "least-squares"))
    gains = gains_of(whole, measure, {whole.repair: measured(88)})
    assert [each.repair for each in asked] == [(), ("norm",)]
    assert [(gain.name, gain.test.right) for gain in gains] == [
        ("as cut", 40),
        ("norm", 60),
        ("norm, least-squares", 88),
    ]
    assert gains[1].to_json()["steps"] == ["norm"]


def test_a_plan_without_repair_has_none() -> None:
    def measure(_plan: PruningPlan) -> PairedAccuracy:
        raise AssertionError("nothing is to be asked")

    assert gains_of(PruningPlan({"stem": 0.5}), measure, {}) == ()


def test_the_table() -> None:
    gains = gains_of(PruningPlan({"a": 0.5}, repair=("norm",)), lambda _: measured(50), {("norm",): measured(88)})
    header, rows = gains_table(replace(comparison([study("a", 0, plan("", 0.5, 1.0))]), gains=gains))
    assert header[0] == "repair"
    assert [row[:3] for row in rows] == [["as cut", "50.00%", "40.00"], ["norm", "88.00%", "2.00"]]
