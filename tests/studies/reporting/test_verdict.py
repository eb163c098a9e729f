"""Whether a lead is noise, against exact probabilities worked out by hand."""

import pytest

from primesvt.studies.reporting.verdict import Sample, duel


def drawn(*values: float) -> Sample:
    return Sample("drawn", values, deterministic=False)


def fixed(value: float) -> Sample:
    return Sample("fixed", (value,), deterministic=True)


def test_two_drawn_samplers_are_compared_by_mann_whitney() -> None:
    # Four against four in perfect order: 2 of the 70 possible orders are as clear.
    result = duel(drawn(5, 6, 7, 8), drawn(1, 2, 3, 4))
    assert result.p == pytest.approx(2 / 70)
    assert result.is_clear
    # Three against three can never be clear: 2 of 20.
    result = duel(drawn(5, 6, 7), drawn(1, 2, 3))
    assert (result.p, result.smallest_p) == pytest.approx((0.1, 0.1))
    assert not result.is_clear


def test_a_fixed_sampler_is_held_against_every_seed_of_the_other() -> None:
    result = duel(fixed(5), drawn(1, 2, 3, 4, 0, 2))
    assert result.p == pytest.approx(2 / 2**6)
    assert result.is_clear
    assert duel(fixed(5), drawn(1, 2, 3)).p == pytest.approx(0.25)
    assert duel(drawn(1, 2, 9), fixed(5)).p == pytest.approx(1.0)


def test_two_fixed_samplers_differ_or_they_do_not() -> None:
    assert duel(fixed(1), fixed(2)).is_clear
    assert not duel(fixed(1), fixed(1)).is_clear


def test_one_seed_tells_nothing() -> None:
    for result in (duel(drawn(1), drawn(2, 3)), duel(fixed(1), drawn(2)), duel(drawn(2), fixed(1))):
        assert result.p is None
        assert not result.is_clear


def test_ties_with_a_fixed_sampler_say_nothing() -> None:
    assert duel(fixed(0), drawn(0, 0, 0)).p == 1
