"""Whether a lead is noise: exact probabilities worked out by hand, and reports about samplers that are all the same."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from primesvt.models import PrimeSVTError
from primesvt.studies.reporting.significance import LEVEL, NONE_FOUND, Sample, claims, holm, least_noise, noise, ranked


def drawn(*values: float, name: str = "drawn") -> Sample:
    return Sample(name, values, deterministic=False)


def fixed(value: float, name: str = "fixed") -> Sample:
    return Sample(name, (value,), deterministic=True)


def test_two_drawn_samplers_are_compared_by_their_ranks() -> None:
    # Four against four in perfect order: 2 of the 70 possible orders are as clear.
    assert noise(drawn(5, 6, 7, 8), drawn(1, 2, 3, 4)) == pytest.approx(2 / 70)
    # Three against three: 2 of 20, and nothing is clearer.
    assert noise(drawn(5, 6, 7), drawn(1, 2, 3)) == pytest.approx(2 / 20)
    assert least_noise(drawn(5, 6, 7), drawn(1, 2, 3)) == pytest.approx(2 / 20)
    assert noise(drawn(1), drawn(2)) == 1


def test_studies_that_found_nothing_tie() -> None:
    # Two of three found something, none of the others: of 20 ways to deal, 4 give both to the one side and 4 neither.
    assert noise(drawn(0.2, 0.3, NONE_FOUND), drawn(*[NONE_FOUND] * 3)) == pytest.approx(8 / 20)
    assert noise(drawn(*[NONE_FOUND] * 3), drawn(*[NONE_FOUND] * 3)) == 1
    # Where a plan saves nothing it is better than none.
    assert noise(drawn(*[0.0] * 5), drawn(*[NONE_FOUND] * 5)) == pytest.approx(2 / 252)


few = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)


@given(few, few)
def test_ties_are_counted_as_by_dealing_the_ranks_in_every_way(first: list[float], second: list[float]) -> None:
    ranks, size = rankdata([*first, *second]), len(first)
    mean = size * (len(ranks) + 1) / 2
    far = abs(ranks[:size].sum() - mean)
    dealt = [abs(sum(hand) - mean) >= far for hand in combinations(ranks, size)]
    assert noise(drawn(*first), drawn(*second)) == pytest.approx(np.mean(dealt))


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=16, unique=True), st.integers(1, 3))
def test_without_ties_it_is_scipys_mann_whitney(values: list[float], size: int) -> None:
    first, second = values[:size], values[size:]
    theirs = mannwhitneyu(first, second, method="exact").pvalue
    assert noise(drawn(*first), drawn(*second)) == pytest.approx(theirs)


def test_a_fixed_sampler_is_held_against_every_seed_of_the_other() -> None:
    assert noise(fixed(5), drawn(1, 2, 3, 4, 0, 2)) == pytest.approx(2 / 2**6)
    assert noise(drawn(1, 2, 9), fixed(5)) == pytest.approx(1)
    assert noise(fixed(0), drawn(0, 0, 0)) == 1
    assert noise(fixed(NONE_FOUND), drawn(*[0.1] * 6)) == pytest.approx(2 / 2**6)


def test_against_a_fixed_sampler_six_seeds_are_needed() -> None:
    for seeds, clear in ((5, False), (6, True)):
        other = drawn(*range(1, seeds + 1))
        (claim,) = claims({"saving": [fixed(0), other]})
        assert claim.is_clear is clear
        assert claim.too_few_seeds is not clear
        assert claim.first is other


def test_between_two_that_draw_nothing_there_is_no_noise() -> None:
    (claim,) = claims({"saving": [fixed(1, "a"), fixed(2, "b")]})
    assert (claim.certain, claim.is_clear, claim.first.sampler) == (True, True, "b")
    (claim,) = claims({"saving": [fixed(1, "a"), fixed(1, "b")]})
    assert (claim.is_level, claim.is_clear) == (True, False)


def test_holm_by_hand() -> None:
    # The smallest counts four times, the next three times, and none is below one before it.
    p = np.array([0.03, 0.01, 0.04, 0.005])
    assert holm(p) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm(np.array([0.5, 0.9])) == pytest.approx([1, 1])
    assert holm(np.array([])).shape == (0,)


def test_claims_that_cannot_be_as_clear_do_not_count() -> None:
    p, least = np.array([0.002, 0.25, 0.03]), np.array([0.002, 0.125, 0.03])
    # Against 0.002 only itself; against 0.03 only itself, as 0.125 is the least of the other; then 0.25 once.
    assert holm(p, least) == pytest.approx([0.002, 0.25, 0.03])
    assert holm(p) == pytest.approx([0.006, 0.25, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.data())
def test_a_floor_never_makes_a_claim_weaker(p: list[float], data: st.DataObject) -> None:
    least = [data.draw(st.floats(0, value)) for value in p]
    floored, plain = holm(np.array(p), np.array(least)), holm(np.array(p))
    assert (floored <= plain + 1e-12).all()
    assert (floored >= np.array(p) - 1e-12).all()


def test_facts_take_nothing_from_claims() -> None:
    samples = [drawn(*range(10, 16), name="a"), drawn(*range(6), name="b")]
    (alone,) = claims({"saving": samples})
    among = claims({"saving": samples, "rank": [fixed(1, "a"), fixed(2, "b")]})
    assert among[0].p == alone.p == pytest.approx(2 / 924)


def test_a_reference_named_before_needs_fewer_claims() -> None:
    samples = [drawn(*range(10 * i, 10 * i + 6), name=f"s{i}") for i in range(6)]
    metrics = {"saving": samples, "volume": samples}
    against = claims(metrics, reference="s5")
    assert len(against) == 10
    assert all(claim.first.sampler == "s5" and claim.is_clear for claim in against)
    # Six seeds of six samplers are too few to hold every two against each other in two numbers.
    everything = claims(metrics)
    assert len(everything) == 30
    assert all(claim.too_few_seeds and not claim.is_clear for claim in everything)
    with pytest.raises(PrimeSVTError, match=r"must be one of s0, s1, .*; got 'nobody'"):
        claims(metrics, reference="nobody")


def test_the_best_has_the_highest_ranks() -> None:
    seldom = drawn(0.9, NONE_FOUND, NONE_FOUND, name="seldom")
    always = drawn(0.5, 0.6, 0.7, name="always")
    never = drawn(NONE_FOUND, NONE_FOUND, NONE_FOUND, name="never")
    assert [sample.sampler for sample in ranked([never, seldom, always])] == ["always", "seldom", "never"]


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="one per study, at least one"):
        drawn()
    with pytest.raises(PrimeSVTError, match="none of them NaN"):
        drawn(1.0, float("nan"))
    with pytest.raises(PrimeSVTError, match="must have different names"):
        claims({"saving": [drawn(1), drawn(2)]})
    assert drawn(0.5, NONE_FOUND).to_json() == [0.5, None]


def report(
    samplers: int, seeds: int, rng: np.random.Generator, *, ahead: float = 0.0, misses: float = 1 / 6
) -> dict[str, Sequence[Sample]]:
    """Two numbers of samplers that are all the same, but for the lead of the first.

    The numbers depend on each other, and some studies find nothing.
    """
    saving = rng.normal(size=(samplers, seeds))
    saving[0] += ahead
    volume = 0.7 * saving + 0.3 * rng.normal(size=(samplers, seeds))
    found = rng.random((samplers, seeds)) >= misses
    return {
        name: [drawn(*row, name=f"s{i}") for i, row in enumerate(np.where(found, values, NONE_FOUND).tolist())]
        for name, values in (("saving", saving), ("volume", volume))
    }


@pytest.mark.parametrize(("samplers", "seeds"), [(2, 6), (6, 10)])
def test_a_sampler_is_called_different_from_itself_in_at_most_a_twentieth_of_all_reports(
    samplers: int, seeds: int
) -> None:
    rng, reports = np.random.default_rng(0), 1000
    wrong = sum(any(claim.is_clear for claim in claims(report(samplers, seeds, rng))) for _ in range(reports))
    assert wrong <= LEVEL * reports


def test_the_best_held_against_the_others_alone_would_be_called_different_too_often() -> None:
    # Why every two are held against each other: the best is chosen by the same numbers.
    rng, reports, wrong = np.random.default_rng(0), 1000, 0
    for _ in range(reports):
        p = []
        for samples in report(6, 10, rng).values():
            best, *others = ranked(samples)
            p += [noise(best, other) for other in others]
        wrong += bool((holm(np.array(p)) < LEVEL).any())
    assert wrong > LEVEL * reports


def test_what_is_better_is_called_so() -> None:
    rng = np.random.default_rng(0)
    right = 0
    for _ in range(50):
        made = claims(report(4, 8, rng, ahead=3.0, misses=0))
        right += any(claim.is_clear and claim.first.sampler == "s0" for claim in made)
        assert not any(claim.is_clear and claim.second.sampler == "s0" for claim in made)
    assert right > 40


def test_a_fixed_sampler_at_the_median_is_called_different_as_seldom() -> None:
    rng, reports, wrong = np.random.default_rng(0), 500, 0
    for _ in range(reports):
        values = rng.normal(size=(2, 10)).tolist()
        samples = [fixed(0.0), drawn(*values[0], name="a"), drawn(*values[1], name="b")]
        wrong += any(claim.is_clear for claim in claims({"saving": samples}))
    assert wrong <= LEVEL * reports
