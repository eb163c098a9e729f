"""Samplers: how the next plan is chosen, one a file."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .kind import (
        BUDGET_SPACE,
        DEFAULT_TRIALS,
        NO_START,
        POLICY_START,
        PROBES_START,
        RATIOS_SPACE,
        SPACES,
        STARTS,
        UNIFORM_START,
        NoOptions,
        Problem,
        SamplerKind,
    )
    from .ladder import LadderSampler
    from .plan_sampler import PlanSampler, Proposal
    from .prioritized import PRIORITIZED, PrioritizedOptions, PrioritizedSampler
    from .redraw import DrawOptions, Redraw
    from .registry import SAMPLERS, make_sampler, sampler_kind, samplers
    from .reseeded import ReseededSampler
    from .sensitivity import SENSITIVITY, SensitivitySampler

__all__ = [
    "BUDGET_SPACE",
    "DEFAULT_TRIALS",
    "NO_START",
    "POLICY_START",
    "PRIORITIZED",
    "PROBES_START",
    "RATIOS_SPACE",
    "SAMPLERS",
    "SENSITIVITY",
    "SPACES",
    "STARTS",
    "UNIFORM_START",
    "DrawOptions",
    "LadderSampler",
    "NoOptions",
    "PlanSampler",
    "PrioritizedOptions",
    "PrioritizedSampler",
    "Problem",
    "Proposal",
    "Redraw",
    "ReseededSampler",
    "SamplerKind",
    "SensitivitySampler",
    "make_sampler",
    "sampler_kind",
    "samplers",
]

lazily(__name__)
