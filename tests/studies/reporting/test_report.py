"""The page of a comparison: what stands where."""

import re
from dataclasses import replace

import pytest

from primesvt.pruning import Robustness, measure_named
from primesvt.search import Constraints, Goals
from primesvt.studies.reporting.device import DeviceCost
from primesvt.studies.reporting.report import report_page, robustness_page

from .comparisons import comparison, plan, study
from .figures.comparisons import pair
from .test_provenance import provenance


def body(text: str) -> str:
    """Without plotly itself."""
    return text[text.index("<body>") :]


def test_three_sentences_come_first_and_a_miss_is_an_alarm() -> None:
    page = body(report_page(pair()))
    verdict = page[page.index('<div class="verdict alarm"') : page.index("<h2>")]
    assert verdict.count("<p>") == 3
    assert verdict.index("is missed on the test set") < verdict.index("saves most within the limits")
    assert "<code>--margin</code>" in verdict
    kept = body(report_page(comparison([study("a", 0, plan("", 0.5, 1.0))])))
    assert '<div class="verdict"' in kept


def test_a_sampler_that_found_nothing_is_in_the_table_without_a_number() -> None:
    page = body(report_page(pair()))
    table = page[page.index("<h2>Samplers</h2>") :]
    assert "none, the nearest misses by 1.00 points of accuracy and 5.00 points of memory" in table
    assert ">0.00%" not in table[: table.index("</table>")]


def test_the_page_has_all_figures_and_where_it_comes_from() -> None:
    compared = replace(pair(), robustness=Robustness(0.9, {"stem": {0.5: 0.8}}))
    page = body(report_page(compared, provenance()))
    assert re.findall(r'"filename": "primesvt-(.*?)"', page) == [
        "fronts-test", "fronts-selection", "effort", "layers", "robustness",
    ]  # fmt: skip
    assert "primesvt compare demo -o result" in page
    assert 'href="trials.csv"' in page
    assert "Where this comes from" not in body(report_page(compared))


@pytest.mark.parametrize("samplers", [1, 2])
def test_claims_are_there_where_there_are_two_to_compare(samplers: int) -> None:
    studies = [study(f"s{i}", 0, plan("", 0.5 + i / 10, 1.0)) for i in range(samplers)]
    assert ("Every claim" in body(report_page(comparison(studies)))) == (samplers > 1)


def test_robustness_alone_has_no_limit() -> None:
    page = body(robustness_page(Robustness(0.9, {"stem": {0.5: 0.8}}, frozenset({("stem", 0.5)}))))
    assert "With ~: estimated" in page
    assert "red line" not in page


def test_a_third_objective_has_a_front_and_the_chosen_plan_its_energy() -> None:
    goals = Goals.of([measure_named("energy")]).objectives[2:]
    shown = plan("", 0.5, 1.0)
    one = study("a", 0, replace(shown, selection=replace(shown.selection, measures={"energy": 7.0})))
    history = replace(one.history, measures={"energy": tuple(range(10))})
    compared = comparison([replace(one, history=history)])
    cost = DeviceCost(bytes=100, measures={"size": 100, "energy": 2.26}, images=9)
    less = replace(cost, bytes=50, measures={"size": 50, "energy": 1.13})
    baseline = replace(compared.baseline, measures={"energy": 9.0})
    compared = replace(compared, baseline=baseline, further=goals, device=(cost, less))
    page = body(report_page(compared))
    assert "<h2>Memory saved against energy</h2>" in page
    table = page[page.index("<h2>What a device feels of the plan that is put forward</h2>") :]
    assert "Spikes counted on 9 test images" in table
    assert "energy takes 4.6 pJ a multiply-accumulate, 0.9 pJ an addition (45 nm)" in table
    assert ">50.00%<" in table[: table.index("</table>")]
    limited = replace(compared, constraints=Constraints(max_drop=3, min_saving=0.25, limits={"energy": 8.0}))
    assert "at least 25.00% of the bytes saved, energy at most 8.000 µJ<" in body(report_page(limited))
    without = body(report_page(pair()))
    assert "at least 25.00% of the bytes saved<" in without
    assert "Memory saved against" not in without
    assert "What a device feels" not in without
