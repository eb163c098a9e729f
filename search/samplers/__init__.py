"""Samplers: how the next plan is chosen, one a file."""

from .kind import DEFAULT_TRIALS, NoOptions, Problem, SamplerKind
from .prioritized import PRIORITIZED, PrioritizedOptions, PrioritizedSampler
from .redraw import DrawOptions, Redraw
from .registry import SAMPLERS, make_sampler, sampler_kind, samplers
from .reseeded import ReseededSampler
from .sensitivity import SENSITIVITY, SensitivitySampler

__all__ = [
    "DEFAULT_TRIALS",
    "PRIORITIZED",
    "SAMPLERS",
    "SENSITIVITY",
    "DrawOptions",
    "NoOptions",
    "PrioritizedOptions",
    "PrioritizedSampler",
    "Problem",
    "Redraw",
    "ReseededSampler",
    "SamplerKind",
    "SensitivitySampler",
    "make_sampler",
    "sampler_kind",
    "samplers",
]
