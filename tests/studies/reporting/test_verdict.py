"""What a report says in words: of comparisons that end well, badly, and with nothing."""

import json
from dataclasses import replace

import pytest

from primesvt.search import Constraints
from primesvt.studies.reporting.evidence import claim_to_json, claims_table, sampler_table
from primesvt.studies.reporting.leads import leads
from primesvt.studies.reporting.standings import attained, comparison_claims, standings
from primesvt.studies.reporting.summary import summary
from primesvt.studies.reporting.verdict import Conclusion, verdict, words

from .comparisons import comparison, plan, study


def six(sampler: str, saving: float, drop: float = 1.0, *, trials: int = 10, found: int = 6) -> list:  # type: ignore[type-arg]
    """Six studies that save about so much; of the rest the nearest plan loses two points too many."""
    return [study(sampler, i, plan("", saving + i / 1000, drop if i < found else 5.0), trials=trials) for i in range(6)]


def test_a_plan_that_keeps_the_limit_on_test() -> None:
    said = verdict(comparison([study("ours", 0, plan("", 0.6, 1.0))]))
    assert said.conclusion is Conclusion.KEPT
    assert not said.alarm
    which, costs, limit = said.sentences
    assert which.startswith(
        "Trial 7 of ours-seed0 saves most within the limits: 60.00% of the bytes (40,000 of 100,000"
    )
    assert "1.00 points below the unpruned model" in costs
    assert limit == "The limit of 3 points is kept on the test set, by the whole interval."


def test_a_limit_that_other_images_may_break_is_said_to_be_so() -> None:
    said = verdict(comparison([study("ours", 0, plan("", 0.6, 2.9))]))
    assert (said.conclusion, said.alarm) == (Conclusion.KEPT, False)
    assert "but not by the whole interval" in said.sentences[2]


def test_a_miss_on_test_is_the_headline() -> None:
    said = verdict(comparison([study("ours", 0, plan("", 0.6, 2.0, test_drop=3.4))]))
    assert (said.conclusion, said.alarm) == (Conclusion.MISSED, True)
    assert said.sentences[0].startswith("The limit of 3 points is missed on the test set, by 0.40 points")
    assert len(said.sentences) == 3


def test_the_limit_on_test_is_the_users_without_the_margin_of_the_search() -> None:
    limits = Constraints(max_drop=3, min_saving=0.25, margin=1)
    kept = plan("", 0.6, 1.5, test_drop=2.9, limits=limits)
    assert verdict(comparison([study("ours", 0, kept)], limits)).conclusion is Conclusion.KEPT


def test_nothing_found_is_no_saving_of_nothing() -> None:
    compared = comparison([*six("a", 0.6, found=0), study("b", 0, plan("", 0.1, 3.5, test_drop=2.0), fixed=True)])
    said = verdict(compared)
    assert (said.conclusion, said.alarm) == (Conclusion.NONE_FOUND, True)
    none, nearest, on_test = said.sentences
    assert none == "No study found a plan that keeps the limits (at most 3 points lost, at least 25.00% saved)."
    # Two points of accuracy too many are a smaller miss than 0.5 of accuracy and 15 of memory.
    assert "trial 7 of a-seed0" in nearest
    assert nearest.endswith("it misses by 2.00 points of accuracy.")
    assert on_test.endswith("The limit of 3 points is missed there.")
    assert leads(compared) == []
    text = " ".join(words(compared))
    assert " 0.00%" not in text
    assert "The pass of b was not over after 10 trials" in text
    _, rows = sampler_table(compared)
    assert ["a", "none, the nearest misses by 2.00 points of accuracy", "", "0 of 6", "none in 60", "", ""] in rows
    assert ["b", "none, the nearest misses by 0.50 points of accuracy and 15.00 points of memory", "", "0 of 1",
            "none in 10", "", ""] in rows  # fmt: skip


def test_a_sampler_that_seldom_finds_anything_ranks_below_one_that_always_does() -> None:
    compared = comparison([*six("seldom", 0.9, found=1), *six("always", 0.5), *six("never", 0.9, found=0)])
    assert list(standings(compared)) == ["always", "seldom", "never"]
    saved, volume, holm = leads(compared)
    assert saved == (
        "Most memory saved within the limits: always with 50.25% (median of 6 seeds, 50.00% to 50.50%). "
        "Not told from noise: seldom (found a plan in 1 of 6 seeds, p = 0.23). "
        "Behind by more than noise: never (found none, p = 0.013)."
    )
    # 25.25 % above the limit's corner, times the two points that are left.
    assert "always with 50.50 %·points" in volume
    assert "for the 6 claims of this report" in holm
    _, rows = sampler_table(compared)
    # Six studies of ten trials each for one success.
    assert rows[1] == ["seldom", "90.00%", "1.00", "1 of 6", "60", "6,000", "60"]
    data = json.loads(json.dumps(summary(compared), allow_nan=False))
    assert data["outcome"] == "limits kept"
    assert data["memory_saving_within_limits"]["never"] == [None] * 6
    assert data["samplers"]["seldom"]["expected_until_first"]["trials"] == 60
    assert len(data["claims"]) == 6


def test_too_few_seeds_are_said_to_be_too_few() -> None:
    compared = comparison([study("a", 0, plan("", 0.6, 1.0)), study("b", 0, plan("", 0.5, 1.0))])
    assert leads(compared)[0] == (
        "Most memory saved within the limits: a with 60.00% (one seed). "
        "Too few seeds to tell from noise: b (10.00 points behind in the median, p = 1.00)."
    )


def test_between_samplers_that_draw_nothing_a_lead_is_a_fact() -> None:
    compared = comparison(
        [study(name, 0, plan("", saving, 1.0), fixed=True) for name, saving in (("a", 0.6), ("b", 0.5), ("c", 0.6))]
    )
    saved, _ = leads(compared)
    assert "Level: c." in saved
    assert "Behind, and nothing is drawn at random: b (10.00 points behind in the median)." in saved


def test_one_sampler_has_nobody_to_lead() -> None:
    assert len(leads(comparison([study("a", 0, plan("", 0.6, 1.0))]))) == 2


def test_every_claim_has_its_effect_and_its_probability() -> None:
    compared = comparison([*six("a", 0.6), *six("b", 0.5), *six("c", 0.9, found=2)])
    header, rows = claims_table(compared)
    assert len(rows) == 6
    assert all(len(row) == len(header) for row in rows)
    saved = next(row for row in rows if row[1:3] == ["a", "b"])
    assert saved[3].startswith("10.00 points [9.")
    assert saved[4:] == ["1.00 [1.00, 1.00]", "p = 0.002", "p = 0.013", "behind by more than noise"]
    data = [claim_to_json(claim) for claim in comparison_claims(compared)]
    assert data[0]["lead_of_medians"][0] == pytest.approx(0.1)
    nothing = next(claim for claim in data if claim["behind"] == "c")
    assert nothing["lead_of_medians"][0] is None
    json.dumps(data, allow_nan=False)


def test_fronts_over_seeds_are_what_a_share_of_the_studies_attains() -> None:
    studies = [study("a", i, plan("", saving, 1.0, test_drop=2.0)) for i, saving in enumerate((0.4, 0.5, 0.6))]
    assert attained(studies, 0.5, test=True) == [(0.5, 0.88)]
    assert attained(studies, 0.5, test=False) == [(0.5, 0.89)]
    assert attained(studies, 1.0, test=False) == [(0.4, 0.89)]


def test_a_limit_of_a_measure_that_no_plan_keeps_is_named() -> None:
    limits = Constraints(max_drop=3, min_saving=0.25, limits={"latency": 4.0})
    slow = plan("", 0.6, 1.0)
    selection = replace(slow.selection, measures={"latency": 5.0})
    slow = replace(slow, selection=selection, feasible=False, violation=25.0)
    said = verdict(comparison([study("ours", 0, slow)], limits))
    assert said.conclusion is Conclusion.NONE_FOUND
    assert "(at most 3 points lost, at least 25.00% saved, latency at most 4.000 ms)" in said.sentences[0]
    assert said.sentences[1].endswith("it misses by 25.00 % of the limit of latency.")
