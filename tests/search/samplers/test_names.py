"""Samplers by name."""

import pytest

from primesvt.models import PrimeSVTError
from primesvt.search.samplers import SAMPLERS, PrioritizedSampler, ReseededSampler, make_sampler

from ..synthetic import Landscape


def test_all_names_make_a_sampler() -> None:
    land = Landscape()
    assert SAMPLERS == ("prioritized", "random", "tpe", "nsga2", "gp")
    kinds = [type(make_sampler(name, land.space, land.policy(), seed=0)) for name in SAMPLERS]
    assert kinds == [PrioritizedSampler] + 4 * [ReseededSampler]


def test_an_unknown_name_is_refused_with_those_known() -> None:
    land = Landscape()
    with pytest.raises(PrimeSVTError, match="Unknown sampler 'bohb'; known are prioritized, random, tpe, nsga2, gp"):
        make_sampler("bohb", land.space, land.policy(), seed=0)


def test_rates_off_the_grid_are_refused() -> None:
    land = Landscape()
    policy = type(land.policy())(layers=tuple(land.shares), rates=(0.25,))
    with pytest.raises(PrimeSVTError, match=r"0\.25 is not among those of the search"):
        make_sampler("prioritized", land.space, policy, seed=0)
