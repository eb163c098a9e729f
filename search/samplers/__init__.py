"""Samplers: how the next plan is chosen, one a file."""

from .kind import DEFAULT_TRIALS, NoOptions, Problem, SamplerKind
from .ladder import LadderSampler
from .prioritized import PRIORITIZED, PrioritizedOptions, PrioritizedSampler
from .registry import SAMPLERS, make_sampler, sampler_kind, samplers
from .reseeded import ReseededSampler
from .sensitivity import SENSITIVITY, SensitivitySampler

__all__ = [
    "DEFAULT_TRIALS",
    "PRIORITIZED",
    "SAMPLERS",
    "SENSITIVITY",
    "LadderSampler",
    "NoOptions",
    "PrioritizedOptions",
    "PrioritizedSampler",
    "Problem",
    "ReseededSampler",
    "SamplerKind",
    "SensitivitySampler",
    "make_sampler",
    "sampler_kind",
    "samplers",
]
