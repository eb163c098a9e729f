"""How models are asked: on the CPU the same on each, and fast as spikes are bits, most of them zero; or on a device."""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .counter import Counter
    from .forward import CountedForward, Forward, SharedForward, counted_forward, forward_of
    from .program import Engine, Program
    from .work import LayerWork, Work

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

lazily(__name__)
