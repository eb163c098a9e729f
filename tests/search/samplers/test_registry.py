"""Samplers by name."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from optuna.samplers import RandomSampler

from primesvt.models import PrimeSVTError
from primesvt.search.samplers import (
    SAMPLERS,
    PrioritizedOptions,
    PrioritizedSampler,
    ReseededSampler,
    SamplerKind,
    make_sampler,
    sampler_kind,
)

from ..synthetic import RATES, Landscape

OF_OPTUNA = ("random", "tpe", "nsga2", "gp")


def test_all_names_make_a_sampler() -> None:
    assert tuple(SAMPLERS)[:8] == ("prioritized", "sensitivity", "uniform", "global", *OF_OPTUNA)
    problem = replace(Landscape().problem, scores=lambda _layer: np.arange(1.0, 9.0))
    made = {name: make_sampler(name, problem, seed=0) for name in SAMPLERS}
    assert type(made["prioritized"]) is PrioritizedSampler
    assert all(isinstance(made[name], ReseededSampler) for name in OF_OPTUNA)


def test_what_is_said_of_them() -> None:
    assert [name for name in SAMPLERS if sampler_kind(name).deterministic] == ["prioritized", "uniform", "global"]
    assert [name for name in SAMPLERS if sampler_kind(name).ends_by_itself] == ["prioritized", "uniform", "global"]
    for name, kind in SAMPLERS.items():
        assert kind.name == name
        assert kind.summary


def test_how_many_trials_they_need() -> None:
    policy = sampler_kind("prioritized")
    land, options = Landscape(), PrioritizedOptions(rates=RATES)
    assert policy.trials(land.problem, options) == land.policy().most_trials
    assert sampler_kind("random").trials(land.problem, None) == 200


def test_an_unknown_name_is_refused_with_those_known() -> None:
    with pytest.raises(
        PrimeSVTError, match="Unknown sampler 'bohb'; known are prioritized, sensitivity, uniform, global, random"
    ):
        make_sampler("bohb", Landscape().problem, seed=0)


def test_rates_off_the_grid_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match=r"0\.25 is not among those of the search"):
        make_sampler("prioritized", Landscape().problem, PrioritizedOptions(rates=(0.25,)), seed=0)


@dataclass(frozen=True)
class Stepping:
    step: float = 0.1


def test_an_option_that_every_study_has_is_refused() -> None:
    with pytest.raises(PrimeSVTError, match="sampler odd cannot have an option 'step'"):
        SamplerKind(name="odd", summary="", make=lambda *_: RandomSampler(), options=Stepping)
