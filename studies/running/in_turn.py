"""Two models on the same images, asked in turn in one run, so that the machine's moods fall on both."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from torch import nn

from primesvt.models import (
    Backend,
    Forward,
    ImageSet,
    Predictions,
    PrimeSVTError,
    config_of,
    evaluation_mode,
    predict,
)

# Images that one is asked before it is the other's turn: some batches, so that a turn is long against its beginning.
_TURN = 256


def check_comparable(model: nn.Module, original: nn.Module) -> None:
    """Refuse two models that do not answer the same question.

    Raises:
        PrimeSVTError: They read other images, or tell other classes apart.
    """
    ours, theirs = config_of(model), config_of(original)
    reads = [(each.in_channels, *each.image_size) for each in (ours, theirs)]
    if reads[0] != reads[1]:
        told = [f"{height}x{width} pixels with {channels} channel(s)" for channels, height, width in reads]
        raise PrimeSVTError(f"The model reads {told[0]}, but the one it is compared with reads {told[1]}.")
    if ours.classes != theirs.classes:
        told = [f"{len(each.classes)} classes apart ({', '.join(each.classes[:3])}, ...)" for each in (ours, theirs)]
        raise PrimeSVTError(
            f"The model tells {told[0]}, but the one it is compared with tells {told[1]}: give the original of this "
            "model."
        )


def answers_in_turn(
    first: nn.Module,
    second: nn.Module,
    images: ImageSet,
    on_batch: Callable[[int], None] = lambda _: None,
    backend: Backend | None = None,
) -> tuple[Predictions, Predictions]:
    """What two models answer on the same images; one begins a turn, then the other.

    Args:
        first: Any model of PrimeSVT.
        second: Another one that reads the same images.
        images: The images.
        on_batch: Called after every batch of either with the number of its images.
        backend: How they are asked; by the engine where it is None.

    Raises:
        PrimeSVTError: The images do not fit a model.
    """
    with evaluation_mode(first), evaluation_mode(second):
        prepare = partial(_Prepared.of, images=images, on_batch=on_batch, backend=backend or Backend())
        prepared = prepare(first), prepare(second)
        # Kernels are compiled, and shapes tried out, before the clock runs.
        for each in prepared:
            each.ask(images.first(_TURN), told=False)
        answers: tuple[list[Predictions], list[Predictions]] = ([], [])
        for turn, start in enumerate(range(0, len(images), _TURN)):
            part = replace(images, indices=images.indices[start : start + _TURN])
            for place in (0, 1) if turn % 2 == 0 else (1, 0):
                answers[place].append(prepared[place].ask(part))
    return _joined(answers[0]), _joined(answers[1])


@dataclass(frozen=True)
class _Prepared:
    """A model with the way to ask it."""

    model: nn.Module
    forward: Forward
    on_batch: Callable[[int], None]

    @classmethod
    def of(cls, model: nn.Module, images: ImageSet, on_batch: Callable[[int], None], backend: Backend) -> "_Prepared":
        images.check(config_of(model))
        return cls(model, backend.forward(model, next(images.batches(config_of(model), 1))[0].shape), on_batch)

    def ask(self, part: ImageSet, *, told: bool = True) -> Predictions:
        return predict(self.model, part, forward=self.forward, on_batch=self.on_batch if told else lambda _: None)


def _joined(parts: list[Predictions]) -> Predictions:
    return Predictions(
        classes=np.concatenate([part.classes for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        logits=np.concatenate([part.logits for part in parts]),
        seconds=sum(part.seconds for part in parts),
        reason=parts[0].reason,
        left_out=parts[0].left_out,
    )
