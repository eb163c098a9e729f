"""What the weights of a checkpoint do not say, and a caller may."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import PrimeSVTError
from ..options import check_options, option
from .config import MAX_TIME_STEPS, MAX_WIDTH, ModelConfig
from .resizing import MIN_CROP_FRACTION


def read_size(text: str) -> tuple[int, int]:
    """A size, ``224`` or ``HxW``.

    Raises:
        PrimeSVTError: It is none.
    """
    parts = text.lower().split("x")
    if not 1 <= len(parts) <= 2 or not all(part.isdigit() for part in parts):
        raise PrimeSVTError(f"expected a size such as 224 or 32x48, got {text!r}")
    return int(parts[0]), int(parts[-1])


@dataclass(frozen=True, kw_only=True)
class Unsaid:
    """What weights do not say; None where the caller does not say it either.

    Raises:
        PrimeSVTError: A number is out of its range. What the rest may be depends on the model.
    """

    heads: tuple[int, ...] | None = option(
        None, help="attention heads, one number for all stages or one per stage", metavar="N", least=1, most=MAX_WIDTH
    )
    time_steps: int | None = option(
        None, help="T, how often an image is presented", metavar="T", least=1, most=MAX_TIME_STEPS
    )
    pooling: str | None = option(
        None, help="which of the 4 stem stages halve the image, such as 0011", metavar="DIGITS"
    )
    image_size: tuple[int, int] | None = option(
        None, help="size of an image: 224, or 32x48 for height and width", metavar="S", read=read_size
    )
    mean: Sequence[float] | None = option(
        None, help="per channel, subtracted from an image in [0, 1]", metavar="A,B,..."
    )
    std: Sequence[float] | None = option(None, help="per channel, divides it afterwards", metavar="A,B,...")
    crop_fraction: float | None = option(
        None,
        help="of image files: the model's side by that to which the shorter one is scaled before the middle is cut out",
        metavar="F",
        least=MIN_CROP_FRACTION,
        most=1,
    )
    interpolation: Literal["bilinear", "bicubic"] | None = option(None, help="of image files: how they are scaled")
    # Names of the classes in the order of the logits; their numbers where it is None.
    classes: Sequence[str] | None = None
    tau: float | None = option(None, help="membrane time constant of the neurons", metavar="TAU")
    v_threshold: float | None = option(None, help="threshold of the neurons", metavar="V")
    attention_threshold: float | None = option(None, help="threshold of the neurons after attention", metavar="V")
    attention: Literal["token", "channel"] | None = option(
        None, help="kind of query-key attention of QKFormer's first two stages (guessed: token)"
    )
    spiking_head: bool | None = option(
        None,
        help="the head of this Meta-SpikeFormer reads membrane potentials, as in earlier versions of its code",
        flag="potential-head",
        sets=False,
    )
    batch_coupling: bool | None = option(
        None,
        help="answer every image for itself, where the official code (QKFormer) lets the images of a batch meet",
        sets=False,
    )

    def __post_init__(self) -> None:
        check_options(self)


def unsaid_of(config: ModelConfig) -> Unsaid:
    """What the weights of a model would not say, as its configuration has it."""
    said: dict[str, Any] = {field.name: getattr(config, field.name, None) for field in dataclasses.fields(Unsaid)}
    if isinstance(said["heads"], int):
        said["heads"] = (said["heads"],)
    return Unsaid(**said)
