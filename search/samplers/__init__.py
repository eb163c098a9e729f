"""Samplers by name: how the next plan is chosen."""

from .names import PRIORITIZED, SAMPLERS, make_sampler
from .prioritized import PrioritizedSampler
from .reseeded import ReseededSampler

__all__ = ["PRIORITIZED", "SAMPLERS", "PrioritizedSampler", "ReseededSampler", "make_sampler"]
