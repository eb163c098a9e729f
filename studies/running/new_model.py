"""What a new model for a data set is like: the sizes that were asked for, and what follows from the images."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from primesvt.models import (
    FAMILIES,
    DataSet,
    ModelConfig,
    PrimeSVTError,
    Resizing,
    Unsaid,
    config_type,
    named_config,
    published_names,
)
from primesvt.models.options import check_options, option

_EMBED_DIM, _HEADS, _TIME_STEPS, _CHANNELS = 128, 8, 4, 3
# Fields of `Unsaid` that may be said of a new model, too, and what they are otherwise.
OF_NEW = {
    "heads": f"{_HEADS}",
    "time_steps": f"{_TIME_STEPS}, or those of --init",
    "pooling": "by size",
    "image_size": "that of arrays; image files need it",
    "mean": "that of the fit set",
    "std": "that of the fit set",
    "tau": "2",
    "v_threshold": "1",
    "attention_threshold": "0.5",
    "crop_fraction": "1 with --interpolation; without both, straight to the size and bilinear, as in version 0.1",
    "interpolation": "bilinear",
}
# Those of the neurons, which every family has.
_OF_NEURONS = ("tau", "v_threshold", "attention_threshold")
# What may be said of a model that is trained on.
_OF_ANY = ("family", "time_steps", "unsaid")
# Blocks; a hierarchical family needs some in every stage.
_DEPTH, _DEPTH_OF_STAGES = 2, 4
# Up to this size, images are taken for CIFAR's: the first stage does not halve them.
_SMALL_IMAGE = 64
# Images from which mean and standard deviation of the pixels are taken.
_SAMPLE = 4_096


@dataclass(frozen=True, kw_only=True)
class NewModel:
    """What a new model is like; None where the data or the defaults say it.

    Args:
        unsaid: What no size says: heads, time steps, pooling and the frame of the images.

    Raises:
        PrimeSVTError: A number is out of its range.
    """

    family: str | None = option(None, help=f"what to train (or --name, or --init): {', '.join(FAMILIES)}", metavar="F")
    config: str | None = option(
        None, help=f"a published size: {', '.join(published_names())}", metavar="CONFIG", flag="name"
    )
    embed_dim: int | None = option(None, help=f"embedding width (default: {_EMBED_DIM})", metavar="D", least=1)
    depth: int | None = option(
        None, help=f"blocks (default: {_DEPTH}, or {_DEPTH_OF_STAGES} in stages)", metavar="L", least=1
    )
    variant: str | None = option(
        None,
        help="of the families that have several, such as a qkformer's cifar and imagenet (default: by size)",
        metavar="NAME",
    )
    channels: int | None = option(None, help=f"channels of image files (default: {_CHANNELS})", choices=(1, 3))
    unsaid: Unsaid = Unsaid()

    def __post_init__(self) -> None:
        check_options(self)
        if self.family is not None:
            config_type(self.family)
        if self.unsaid.heads is not None and len(self.unsaid.heads) != 1:
            raise PrimeSVTError("heads of a new model is one number, for all of its stages.")

    @property
    def frame(self) -> tuple[int, int, int] | None:
        """Channels, height and width to which image files are brought; None for those of the first one."""
        size = self.unsaid.image_size
        return (self.channels or _CHANNELS, *size) if size else None

    def again(self, config: ModelConfig) -> ModelConfig:
        """The configuration of a model that is trained on: as it is, but for its time steps.

        Raises:
            PrimeSVTError: Something else was asked for, too.
        """
        if self.family not in (None, config.family):
            raise PrimeSVTError(f"--init is a {config.family}, not a {self.family}; leave --family out.")
        said = {**vars(self), **{name: getattr(self.unsaid, name) for name in OF_NEW}}
        if given := [name for name in said if said[name] is not None and name not in _OF_ANY]:
            raise PrimeSVTError(f"--{given[0].replace('_', '-')} is that of --init; leave it out.")
        return dataclasses.replace(config, time_steps=self.unsaid.time_steps or config.time_steps)

    def of(self, data: DataSet) -> ModelConfig:
        """The configuration of a new model for the images of a data set.

        Raises:
            PrimeSVTError: It is not said which, or the sizes do not fit each other or the images.
        """
        if self.family is None and self.config is None:
            raise PrimeSVTError(
                f"Say what to train: --family {' or '.join(FAMILIES)}, or --name NAME, or --init MODEL."
            )
        said = {name: getattr(self.unsaid, name) for name in ("time_steps", "pooling", *_OF_NEURONS)}
        if self.unsaid.heads is not None:
            said["heads"] = self.unsaid.heads[0]
        given = {key: value for key, value in said.items() if value is not None}
        common = self._common(data)
        if self.config is None:
            return self._prepared(self._uniform(config_type(str(self.family)), common, given), data)
        if self.family is not None or self.embed_dim or self.depth or self.variant:
            raise PrimeSVTError(
                "--name says family, width, depth and variant; leave --family, --embed-dim, --depth and --variant out."
            )
        return self._prepared(named_config(self.config, **common, **given), data)

    def _common(self, data: DataSet) -> dict[str, Any]:
        """What the images say."""
        channels, height, width = data.fit.source.frame
        if self.unsaid.image_size not in (None, (height, width)) or self.channels not in (None, channels):
            raise PrimeSVTError(
                f"The images of {data.name} are {height}x{width} with {channels} channel(s), and are taken as they "
                "are; --image-size and --channels are for image files."
            )
        return {
            "in_channels": channels,
            "image_size": (height, width),
            "classes": data.classes,
            "mean": (0.0,) * channels,
            "std": (1.0,) * channels,
        }

    def _prepared(self, config: ModelConfig, data: DataSet) -> ModelConfig:
        """With what was said of resizing and normalisation, or else the mean and deviation of the resized images."""
        fraction, interpolation = self.unsaid.crop_fraction, self.unsaid.interpolation
        if fraction is not None or interpolation is not None:
            way = Resizing(fraction or 1.0, interpolation or "bilinear")
            config = dataclasses.replace(config, crop_fraction=way.crop_fraction, interpolation=way.interpolation)
        mean, std = self.unsaid.mean, self.unsaid.std
        if mean is None or std is None:
            found = _pixels(data, config)
            mean, std = mean or found[0], std or found[1]
        return dataclasses.replace(config, mean=tuple(mean), std=tuple(std))

    def _uniform(self, kind: type[ModelConfig], common: dict[str, Any], given: dict[str, Any]) -> ModelConfig:
        """All layers as wide as the embedding says; what a family does not take is left out."""
        own = {field.name for field in dataclasses.fields(kind)}
        if "pooling" in given and "pooling" not in own:
            raise PrimeSVTError(f"A {kind.family} has no --pooling: its stages halve the image as they are made to.")
        if self.variant and "variant" not in own:
            raise PrimeSVTError(f"A {kind.family} has no --variant; leave it out.")
        side = min(common["image_size"])
        by_size = {
            "heads": _HEADS,
            "time_steps": _TIME_STEPS,
            "pooling": _pooling(side),
            "variant": self.variant or ("cifar" if side <= _SMALL_IMAGE else "imagenet"),
        }
        embed_dim, heads = self.embed_dim or _EMBED_DIM, given.get("heads", _HEADS)
        if embed_dim % 8 or embed_dim % heads:
            raise PrimeSVTError(f"embed-dim must be a multiple of 8 and of the {heads} heads; got {embed_dim}.")
        try:
            return kind.uniform(
                embed_dim=embed_dim,
                depth=self.depth or (_DEPTH if "depth" in own else _DEPTH_OF_STAGES),
                **{**{key: value for key, value in by_size.items() if key in own}, **given},
                **common,
            )
        except TypeError as error:  # Another package's family may need more than is known here.
            raise PrimeSVTError(f"A {kind.family} cannot be trained by its size alone: {error}.") from error


def _pixels(data: DataSet, config: ModelConfig) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the first images of the fit set, which are not normalised."""
    read, _ = data.fit.read(config, data.fit.indices[:_SAMPLE])
    images = read.movedim(-3, 0).reshape(config.in_channels, -1).double()
    return (
        tuple(round(float(v), 4) for v in images.mean(1)),
        tuple(max(round(float(v), 4), 1e-4) for v in images.std(1)),
    )


def _pooling(side: int) -> str:
    """Halve the image, early stages first, until about 7 by 7 tokens are left."""
    stages = min(4, max(0, round(math.log2(side / 7)))) if side >= 7 else 0
    return "1" * stages + "0" * (4 - stages)
