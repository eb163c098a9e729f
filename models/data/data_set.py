"""Labelled images, and the four disjoint sets that every honest number needs.

``fit`` trains, ``calibration`` may be looked at by criteria and repair steps, ``selection`` is what a search looks at,
``test`` is looked at once, for the plans that are reported. The first three are parts of the training images, cut by
one fixed rule, so that the same images always play the same role; where a data set comes with validation images, those
are the selection set.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Literal, Protocol

import numpy as np
import torch

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from .read_ahead import DecodedSource, ReadAhead

Role = Literal["fit", "calibration", "selection", "test"]
ROLES: tuple[Role, ...] = ("fit", "calibration", "selection", "test")


class ImageSource(Protocol):
    """Where images come from: an array, a memory-mapped file, or a tree of files."""

    @property
    def frame(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""

    @property
    def steps(self) -> int | None:
        """Frames of an event sequence; None for static images."""

    def __len__(self) -> int:
        """Number of images."""

    def read(self, indices: np.ndarray) -> torch.Tensor:
        """Images ``[N, C, H, W]`` in [0, 1], or event sequences ``[T, N, C, H, W]``, as float32."""

    def digest(self) -> str:
        """A short text that differs where the images differ."""


# Images and their labels, int64 ``[N]``.
Part = tuple[ImageSource, np.ndarray]
# Fewer training images than these leave a part without any, so they are not cut.
_LEAST = 24


@dataclass(frozen=True)
class ImageSet:
    """Labelled images that play one role.

    Args:
        role: What the set may be used for.
        source: Where the images come from.
        labels: Class of every image of the source, int64 ``[M]``.
        indices: Which images of the source belong to this set, int64 ``[N]``.
        classes: Names of the classes.
        lacking: Why the set is empty, where the data has no such part.
    """

    role: Role
    source: ImageSource
    labels: np.ndarray = field(repr=False)
    indices: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    lacking: str = ""

    def __len__(self) -> int:
        return len(self.indices)

    def first(self, limit: int | None) -> "ImageSet":
        """The first ``limit`` images, all where it is None.

        Raises:
            PrimeSVTError: ``limit`` is below 1.
        """
        if limit is None:
            return self
        if limit < 1:
            raise PrimeSVTError(f"The number of images must be at least 1, got {limit}.")
        return replace(self, indices=self.indices[:limit])

    def check(self, config: ModelConfig) -> None:
        """Refuse images that the model cannot read.

        Raises:
            PrimeSVTError: Channels, size or classes differ, or the set is empty.
        """
        expected = (config.in_channels, *config.image_size)
        if self.source.frame != expected:
            raise PrimeSVTError(
                f"The images are {_frame(self.source.frame)}, but the model reads {_frame(expected)}. "
                "Prepare the data for this model, or train one with the size of the data."
            )
        self._positions(config)
        if not len(self):
            raise PrimeSVTError(f"The {self.role} set is empty: {self.lacking or 'the data has too few images'}.")

    def batches(self, config: ModelConfig, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images, prepared for the model, and labels ``[N]``, in the order of the set."""
        parts = [self.indices[start : start + batch_size] for start in range(0, len(self), batch_size)]
        with self.reader(config, parts) as read:
            for indices in parts:
                yield read(indices)

    @contextmanager
    def reader(
        self, config: ModelConfig, parts: Sequence[np.ndarray]
    ) -> Iterator[Callable[[np.ndarray], tuple[torch.Tensor, torch.Tensor]]]:
        """A reader as :meth:`read`; image files are decoded in threads, ahead of whoever reads.

        Args:
            config: Of the model.
            parts: What will probably be read, in this order.
        """
        if not isinstance(self.source, DecodedSource):
            yield partial(self.read, config)
            return
        with ReadAhead(self.source, config, parts) as ahead:
            yield lambda indices: (ahead.read(indices), self.truth(config, indices))

    def read(self, config: ModelConfig, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Images of the source, resized and normalised for the model, and their labels ``[N]`` as its logits are."""
        if isinstance(self.source, DecodedSource):
            with self.reader(config, []) as read:
                return read(indices)
        shape = (config.in_channels, 1, 1)
        mean, std = torch.tensor(config.mean).view(shape), torch.tensor(config.std).view(shape)
        return (self.source.read(indices) - mean) / std, self.truth(config, indices)

    def truth(self, config: ModelConfig, indices: np.ndarray) -> torch.Tensor:
        """Labels ``[N]`` of images of the source, in the order of the model's logits."""
        return torch.from_numpy(self._positions(config)[self.labels[indices]])

    def _positions(self, config: ModelConfig) -> np.ndarray:
        """The model's logit of every class of the data, int64 ``[classes]``: classes of the same name are the same.

        Names that are just numbers say nothing, so such classes are matched in their order.

        Raises:
            PrimeSVTError: The model tells other classes apart, or another number of them.
        """
        if len(self.classes) != len(config.classes):
            raise PrimeSVTError(
                f"The data has {len(self.classes)} classes, but the model tells {len(config.classes)} apart."
            )
        if set(self.classes) == set(config.classes):
            positions = {name: i for i, name in enumerate(config.classes)}
            return np.array([positions[name] for name in self.classes], dtype=np.int64)
        if not (_are_numbers(self.classes) or _are_numbers(config.classes)):
            data, model = set(self.classes), set(config.classes)
            raise PrimeSVTError(
                f"The data has classes that the model does not know: {', '.join(sorted(data - model)[:5])}; the model "
                f"knows {', '.join(sorted(model - data)[:5])} instead. Give the same classes the same names, or plain "
                "numbers where only their order counts."
            )
        return np.arange(len(self.classes), dtype=np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what is in the set: equal sets, equal accuracies."""
        digest = hashlib.sha256(repr((self.role, self.classes)).encode())
        digest.update(self.source.digest().encode())
        digest.update(np.ascontiguousarray(self.indices).tobytes())
        digest.update(np.ascontiguousarray(self.labels[self.indices]).tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class DataSet:
    """The four sets of one collection of images.

    Args:
        name: What it is called.
        fit: Trains.
        calibration: May be looked at by criteria and repair steps.
        selection: What a search looks at.
        test: Looked at once.
        notes: How the files were understood, where that is not plain; for a person.
        cut_by_fraction: Whether the data has no parts of its own, so that a share of it was made the test set.
    """

    name: str
    fit: ImageSet
    calibration: ImageSet
    selection: ImageSet
    test: ImageSet
    notes: tuple[str, ...] = ()
    cut_by_fraction: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.fit.classes

    def role(self, role: Role) -> ImageSet:
        """The set that plays a role."""
        found: ImageSet = getattr(self, role)
        return found


def split(
    name: str,
    classes: tuple[str, ...],
    train: Part | None,
    test: Part,
    *,
    validation: Part | None = None,
    shuffled: bool = False,
    notes: tuple[str, ...] = (),
) -> DataSet:
    """Cut the training images into fit, calibration and selection set; validation images are the selection set.

    Args:
        name: Name of the data set.
        classes: Names of the classes.
        train: Training images and their labels; None where there are none. Without any, or with fewer than 24, nothing
            can be trained or calibrated.
        test: Test images and their labels.
        validation: Images on which plans are to be selected, where the data has its own.
        shuffled: Whether the images already are in random order; otherwise a fixed one is used.
        notes: How the files were understood, for a person.

    Raises:
        PrimeSVTError: No test image, labels that are no class, or odd class names.
    """
    parts = {"training": train, "validation": validation, "test": test}
    _check_parts(name, classes, {what: part for what, part in parts.items() if part is not None})
    lacking = dict.fromkeys(ROLES, f"{name} has no training images")
    lacking["selection"] = f"{name} has test images only; a share of them can be selected on (--selection-from-test)"
    if train is not None and len(train[1]) < _LEAST:
        few = f"{name} has {len(train[1])} training images, and fewer than {_LEAST} are too few to be cut into parts"
        lacking = {**dict.fromkeys(ROLES, few), "selection": f"{few}; select on test images (--selection-from-test)"}
        train = None
    if train is None and validation is None:
        told = "it serves evaluate, and with --selection-from-test a search without calibration"
        notes = (*notes, f"{lacking['fit']}: {told}; training needs them.")
    sets = {role: ImageSet(role, *test, np.arange(0), classes, lacking[role]) for role in ROLES}

    if train is not None:
        count = len(train[1])
        selection, calibration = split_sizes(count)
        sizes: dict[Role, int] = {"selection": 0 if validation else selection, "calibration": calibration}
        sizes["fit"] = count - sum(sizes.values())
        sets |= _cut(train, sizes, classes, shuffled=shuffled)
    if validation is not None:
        sets |= _cut(validation, {"selection": len(validation[1])}, classes, shuffled=shuffled)
    # The test set is in random order too, so that its first images are of all classes.
    sets |= _cut(test, {"test": len(test[1])}, classes, shuffled=shuffled)
    return DataSet(name, sets["fit"], sets["calibration"], sets["selection"], sets["test"], notes)


def _cut(part: Part, sizes: Mapping[Role, int], classes: tuple[str, ...], *, shuffled: bool) -> dict[Role, ImageSet]:
    """A part cut into sets of these sizes, which are all of it, by one fixed rule."""
    source, labels = part
    # The legacy generator's stream is frozen for ever: the same images play the same role under every numpy.
    order = np.arange(len(labels)) if shuffled else np.random.RandomState(0).permutation(len(labels))
    cuts = np.split(order.astype(np.int64), np.cumsum(list(sizes.values()))[:-1])
    return {role: ImageSet(role, source, labels, cut, classes) for role, cut in zip(sizes, cuts, strict=True)}


def _check_parts(name: str, classes: tuple[str, ...], parts: Mapping[str, Part]) -> None:
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise PrimeSVTError(f"{name}: needs at least two classes with different names, got {list(classes)[:5]}.")
    for what, (source, labels) in parts.items():
        if len(source) != len(labels):
            raise PrimeSVTError(f"{name}: {len(source)} {what} images but {len(labels)} labels.")
        if len(labels) and (labels.min() < 0 or labels.max() >= len(classes)):
            raise PrimeSVTError(
                f"{name}: {what} labels must be 0 to {len(classes) - 1}, got {labels.min()} to {labels.max()}."
            )
    counts = {what: len(labels) for what, (_, labels) in parts.items()}
    if not counts["test"]:
        raise PrimeSVTError(f"{name}: needs at least one test image, got none.")
    if not counts.get("validation", 1):
        raise PrimeSVTError(f"{name}: its validation part holds no image; leave the part out, or fill it.")


def split_sizes(count: int) -> tuple[int, int]:
    """Sizes of selection and calibration set for ``count`` training images.

    12,000 and 60,000 images give the same sizes, so that the embedded sample of Fashion-MNIST and the full data set
    select on the same images.
    """
    return min(count // 3, max(4_000, min(count // 15, 10_000))), min(count // 12, 1_000)


def _are_numbers(names: tuple[str, ...]) -> bool:
    return all(name.isdecimal() for name in names)


def _frame(frame: tuple[int, int, int]) -> str:
    channels, height, width = frame
    return f"{height}x{width} pixels with {channels} channel{'s' if channels > 1 else ''}"
