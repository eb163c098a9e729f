"""The configuration of a model: everything that its weights do not say, as data that round-trips through JSON.

Every width is named: ``widths`` maps the name of a layer to its number of channels. A pruned model is the same family
with smaller numbers there. A configuration class is all that the rest of PrimeSVT knows of a family: it declares the
prunable layers, builds the model, and names the published sizes and the key layouts of foreign checkpoints.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self, get_type_hints

from torch import nn

from ..errors import PrimeSVTError
from ..layers.channels import ChannelGroup
from .layout import Layout
from .resizing import Resizing

# Far above every published model; a width beyond it is damage or an attack, and would claim all memory.
MAX_WIDTH = 16_384
MAX_DEPTH = 256
MAX_TIME_STEPS = 1_024
# Numbers of one image over all time steps: 4096x4096 pixels in colour fit five times.
MAX_INPUT = 2**28
# Of every other number; what lies beyond is no parameter of a neuron and overflows float32 sooner or later.
MAX_NUMBER = 1e6
MIN_STD = 1e-6


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What every family has in common.

    Args:
        in_channels: Channels of an input image.
        image_size: Height and width of an input image, in pixels.
        classes: Names of the classes, in the order of the logits.
        time_steps: T, how often a static image is presented; an event sequence brings its own T.
        mean: Per channel, subtracted from an image in [0, 1].
        std: Per channel, divides it afterwards.
        crop_fraction: How image files are brought to the size, as :class:`~primesvt.models.Resizing` has it.
        interpolation: The same.
        tau: Membrane time constant of every neuron, in time steps.
        v_threshold: Threshold of the neurons.
        attention_threshold: Threshold of the neurons after attention.
        widths: Channels of every layer, by name; 0 of all layers of a residual branch that was removed.
    """

    family: ClassVar[str]
    # Name of a published size to the arguments of `uniform` that build it.
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})
    # How the checkpoints of other code name the weights of this family.
    layouts: ClassVar[tuple[Layout, ...]] = ()
    # Fields that `uniform` works out by itself, and so does not take.
    derived: ClassVar[tuple[str, ...]] = ()

    in_channels: int
    image_size: tuple[int, int]
    classes: tuple[str, ...]
    time_steps: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tau: float = 2.0
    v_threshold: float = 1.0
    attention_threshold: float = 0.5
    crop_fraction: float | None = None
    interpolation: str = "bilinear"
    widths: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_range("in_channels", self.in_channels, 1, MAX_WIDTH)
        check_range("time_steps", self.time_steps, 1, MAX_TIME_STEPS)
        for side in self.image_size:
            check_range("image_size", side, 1, MAX_WIDTH)
        if len(self.image_size) != 2:
            raise PrimeSVTError(f"image_size must be (height, width), got {self.image_size}.")
        height, width = self.image_size
        if (numbers := self.time_steps * self.in_channels * height * width) > MAX_INPUT:
            raise PrimeSVTError(
                f"An image of {height}x{width} pixels, {self.in_channels} channels and {self.time_steps} time steps is "
                f"{numbers:,} numbers; at most {MAX_INPUT:,} are allowed."
            )
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise PrimeSVTError(f"classes must be at least two different names, got {list(self.classes)[:5]}.")
        self._check_normalisation()
        Resizing(self.crop_fraction, self.interpolation)
        check_above("tau", self.tau, 1)
        check_above("v_threshold", self.v_threshold, 0)
        check_above("attention_threshold", self.attention_threshold, 0)
        self._check_widths()
        object.__setattr__(self, "widths", MappingProxyType(dict(sorted(self.widths.items()))))

    def _check_normalisation(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.in_channels or not all(abs(v) <= MAX_NUMBER for v in values):
                raise PrimeSVTError(f"{name} must be {self.in_channels} finite numbers, one per channel, got {values}.")
        if any(v < MIN_STD for v in self.std):
            raise PrimeSVTError(f"std must be positive, at least {MIN_STD:g}, got {self.std}.")

    def _check_widths(self) -> None:
        expected = {group.name for group in self.groups()}
        if set(self.widths) != expected:
            odd = sorted(set(self.widths) ^ expected)
            raise PrimeSVTError(f"widths must name every layer of a {self.family} once; missing or unknown: {odd[:5]}.")
        # Of a removed branch no layer has a width; of any other, every layer has.
        whole = {group.branch for group in self.groups() if self.widths[group.name]} | {None}
        for group in self.groups():
            if group.branch in whole:
                self._check_group(group)

    def _check_group(self, group: ChannelGroup) -> None:
        width = self.widths[group.name]
        check_range(f"width of {group.name}", width, 1, MAX_WIDTH)
        if width % group.heads:
            raise PrimeSVTError(f"width of {group.name} must be a multiple of its {group.heads} heads, got {width}.")
        if group.stream is not None and width > self.widths[group.stream]:
            raise PrimeSVTError(
                f"{group.name} writes {width} channels into {group.stream}, which has {self.widths[group.stream]}."
            )

    @property
    def resizing(self) -> Resizing:
        """How image files are brought to the size."""
        return Resizing(self.crop_fraction, self.interpolation)

    def groups(self) -> tuple[ChannelGroup, ...]:
        """The channels that can be removed together, in the order of the forward pass; streams come last.

        It looks at no widths: layers that were removed are named, too; see :meth:`groups_left`.
        """
        raise NotImplementedError

    @property
    def removed(self) -> frozenset[str]:
        """Names of the layers that are gone with their branches."""
        return frozenset(name for name, width in self.widths.items() if width == 0)

    def groups_left(self) -> tuple[ChannelGroup, ...]:
        """Those of :meth:`groups` that the model still has, and of their readers those that it still has."""
        declared, removed = self.groups(), self.removed
        if not removed:
            return declared
        gone = {leaf for group in declared if group.name in removed for leaf in group.filters}
        return tuple(
            dataclasses.replace(group, readers=tuple(leaf for leaf in group.readers if leaf not in gone))
            for group in declared
            if group.name not in removed
        )

    def build(self) -> nn.Module:
        """A model with random weights: a module with this configuration as its attribute ``config``."""
        raise NotImplementedError

    @classmethod
    def uniform(cls, *_: Any, **sizes: Any) -> Self:
        """An unpruned model: all widths follow from a few numbers, given by name, as in the family's paper."""
        raise NotImplementedError

    def with_widths(self, widths: Mapping[str, int]) -> Self:
        """The same model with some layers of other widths."""
        return dataclasses.replace(self, widths={**self.widths, **widths})

    def sizes(self) -> dict[str, Any]:
        """The arguments of :meth:`uniform` that are no fields and would give these widths, were the model unpruned."""
        raise NotImplementedError

    def independent(self) -> Self:
        """The same model, with every image answered for itself: most families' models are so anyway."""
        return self

    def __reduce__(self) -> tuple[Callable[[], Self], tuple[()]]:
        # A mapping proxy can be neither pickled nor copied, and a model is copied with its configuration.
        return functools.partial(type(self), **self.to_json()), ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for :func:`json.dump`; :meth:`from_json` reads it back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if self.crop_fraction is None:
            # So version 0.1 wrote it, and what is the same model has the same fingerprint.
            del values["crop_fraction"], values["interpolation"]
        return {**values, "widths": dict(self.widths)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            PrimeSVTError: A field is missing, unknown, of a wrong type or out of range.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        required = {n for n, f in fields.items() if f.default is dataclasses.MISSING and n != "widths"} | {"widths"}
        if unknown := sorted(set(data) - set(fields)):
            raise PrimeSVTError(f"Unknown fields of a {cls.family} configuration: {', '.join(map(str, unknown[:5]))}.")
        if missing := sorted(required - set(data)):
            raise PrimeSVTError(f"Missing fields of a {cls.family} configuration: {', '.join(missing[:5])}.")
        types = get_type_hints(cls)
        values = {name: _from_plain(name, types[name], value) for name, value in data.items()}
        return cls(**values)


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Refuse a whole number that is not between two others.

    Raises:
        PrimeSVTError: Naming it and its value.
    """
    if not low <= value <= high:
        raise PrimeSVTError(f"{name} must be between {low} and {high}, got {str(value)[:40]}.")


def check_above(name: str, value: float, low: float) -> None:
    """Refuse a number that is not above ``low``, is not finite, or is absurdly large.

    Raises:
        PrimeSVTError: Naming it and its value.
    """
    if not low < value <= MAX_NUMBER:
        raise PrimeSVTError(f"{name} must be above {low} and at most {MAX_NUMBER:g}, got {value}.")


# What a field of the given annotation may be in JSON; anything else is refused before it is used.
_READERS: dict[Any, Callable[[Any], Any]] = {
    int: lambda v: v if type(v) is int else None,
    float: lambda v: _read_number(v),
    float | None: lambda v: _read_number(v),
    str: lambda v: v if type(v) is str else None,
    bool: lambda v: v if type(v) is bool else None,
    tuple[int, int]: lambda v: _read_list(v, int),
    tuple[int, ...]: lambda v: _read_list(v, int),
    tuple[float, ...]: lambda v: _read_list(v, float),
    tuple[str, ...]: lambda v: _read_list(v, str),
    Mapping[str, int]: lambda v: _read_mapping(v),
}


def _from_plain(name: str, kind: Any, value: Any) -> Any:
    if kind not in _READERS:
        known = ", ".join(map(_type_name, _READERS))
        raise PrimeSVTError(f"Field {name} of the configuration class has the type {kind}; known are {known}.")
    read = _READERS[kind](value)
    if read is None:
        raise PrimeSVTError(f"Field {name} of the configuration must be {_type_name(kind)}, got {str(value)[:60]!r}.")
    return read


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("collections.abc.", "")


def _read_number(value: Any) -> float | None:
    # Beyond 2**53 an integer is no float exactly, and beyond 1e308 none at all.
    return float(value) if type(value) is float or (type(value) is int and abs(value) < 2**53) else None


def _read_list(value: Any, kind: type) -> tuple[Any, ...] | None:
    if not isinstance(value, (list, tuple)):
        return None
    items = tuple(_READERS[kind](item) for item in value)
    return None if None in items else items


def _read_mapping(value: Any) -> dict[str, int] | None:
    if not isinstance(value, dict) or any(type(width) is not int for width in value.values()):
        return None
    return dict(value)
