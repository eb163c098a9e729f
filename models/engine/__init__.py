"""The evaluation engine of the CPU: exact, and fast because spikes are bits and most of them are zero."""

from .forward import CountedForward, Forward, SharedForward, counted_forward, forward_of
from .program import Engine, Program
from .work import Counter, LayerWork, Work

__all__ = [
    "CountedForward",
    "Counter",
    "Engine",
    "Forward",
    "LayerWork",
    "Program",
    "SharedForward",
    "Work",
    "counted_forward",
    "forward_of",
]
