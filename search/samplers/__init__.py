"""Samplers: how the next plan is chosen, one a file."""

from .kind import BUDGET_SPACE, DEFAULT_TRIALS, RATIOS_SPACE, SPACES, NoOptions, Problem, SamplerKind
from .ladder import LadderSampler
from .prioritized import PRIORITIZED, PrioritizedOptions, PrioritizedSampler
from .redraw import DrawOptions, Redraw
from .registry import SAMPLERS, make_sampler, sampler_kind, samplers
from .reseeded import ReseededSampler
from .sensitivity import SENSITIVITY, SensitivitySampler

__all__ = [
    "BUDGET_SPACE",
    "DEFAULT_TRIALS",
    "PRIORITIZED",
    "RATIOS_SPACE",
    "SAMPLERS",
    "SENSITIVITY",
    "SPACES",
    "DrawOptions",
    "LadderSampler",
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
