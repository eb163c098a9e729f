"""What the weights of a checkpoint do not say, and a caller may."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Unsaid:
    """What weights do not say; None where the caller does not say it either.

    Args:
        heads: Numbers of attention heads, one for all stages or one per stage.
        time_steps: T.
        pooling: Which of the four stem stages halve the image, such as ``0011``.
        image_size: Height and width of an image.
        mean: Per channel, subtracted from an image in [0, 1]; 0 where it is None.
        std: Per channel, divides it afterwards; 1 where it is None.
        classes: Names of the classes in the order of the logits; their numbers where it is None.
        tau: Membrane time constant; 2 where it is None.
        v_threshold: Threshold of the neurons; 1 where it is None.
        attention_threshold: Threshold of the neurons after attention; 0.5 where it is None.
        attention: Kind of query-key attention, ``token`` or ``channel``; token where it is None.
        spiking_head: Whether Meta-SpikeFormer's head reads spikes rather than potentials; spikes where it is None.
        batch_coupling: Whether the images of a batch meet as in the official QKFormer; as its code has it where None.
    """

    heads: tuple[int, ...] | None = None
    time_steps: int | None = None
    pooling: str | None = None
    image_size: tuple[int, int] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    classes: Sequence[str] | None = None
    tau: float | None = None
    v_threshold: float | None = None
    attention_threshold: float | None = None
    attention: str | None = None
    spiking_head: bool | None = None
    batch_coupling: bool | None = None


def unsaid_of(config: ModelConfig) -> Unsaid:
    """What the weights of a model would not say, as its configuration has it."""
    said: dict[str, Any] = {field.name: getattr(config, field.name, None) for field in dataclasses.fields(Unsaid)}
    if isinstance(said["heads"], int):
        said["heads"] = (said["heads"],)
    return Unsaid(**said)
