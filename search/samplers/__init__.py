"""Samplers by name: how the next plan is chosen."""

from .names import SAMPLERS, make_sampler
from .prioritized import PrioritizedSampler
from .reseeded import ReseededSampler

__all__ = ["SAMPLERS", "PrioritizedSampler", "ReseededSampler", "make_sampler"]
