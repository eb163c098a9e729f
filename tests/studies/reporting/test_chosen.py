"""The plans that a report puts forward."""

from dataclasses import replace

import pytest

from primesvt.studies.reporting.chosen import best_of_samplers, best_trade_offs, limits_kept, stopped_early

from .comparisons import comparison, plan, study
from .figures.comparisons import front


def test_of_equal_plans_the_most_accurate_is_the_best_and_the_nearest() -> None:
    found = best_of_samplers(
        comparison(
            [
                study("a", 0, plan("", 0.3, 2.0)),
                study("a", 1, plan("", 0.3, 1.0)),
                study("b", 0, plan("", 0.5, 5.0)),
                study("b", 1, plan("", 0.24, 4.0)),
            ]
        )
    )
    assert {sampler: best.study for sampler, best in found.items() if best} == {"a": "a-seed1", "b": "b-seed1"}


def test_a_plan_that_keeps_the_limits_comes_before_one_that_is_near() -> None:
    found = best_of_samplers(comparison([study("a", 0, plan("", 0.9, 3.1)), study("a", 1, plan("", 0.3, 2.0))]))
    assert found["a"] is not None
    assert found["a"].study == "a-seed1"


def test_trade_offs_are_chosen_on_the_selection_set_the_smallest_model_first() -> None:
    beaten = plan("", 0.3, 2.0, test_drop=-5.0)
    compared = comparison([front(study("a", 0, plan("", 0.4, 1.0)), beaten), study("b", 0, plan("", 0.6, 2.5))])
    assert [found.selection.memory_saving for found in best_trade_offs(compared)] == [0.6, 0.4]


@pytest.mark.parametrize(
    ("drop", "test_drop", "words"),
    [
        (1.0, 1.0, "yes"),
        (1.0, 3.1, "in the search, not on test"),
        (3.1, 1.0, "on test, not in the search"),
        (3.1, 3.1, "no"),
    ],
)
def test_limits_are_kept_on_both_sets_or_not(drop: float, test_drop: float, words: str) -> None:
    shown = plan("a", 0.5, drop, test_drop=test_drop)
    assert limits_kept(comparison([study("a", 0, shown)]), shown) == words


def test_a_plan_that_was_stopped_says_after_how_many_images() -> None:
    shown = plan("a", 0.5, 9.0)
    assert stopped_early(shown) == ""
    early = replace(shown, selection=replace(shown.selection, decided_early="exact", images=64))
    assert stopped_early(early) == ", stopped after 64 images"
