"""The evaluation engine of the CPU: exact, and fast because spikes are bits and most of them are zero."""

from .forward import Forward, SharedForward, forward_of
from .program import Engine, Program

__all__ = ["Engine", "Forward", "Program", "SharedForward", "forward_of"]
