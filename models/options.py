"""Options: the fields of a settings dataclass, each with its help, type and range said once, where it is declared.

    @dataclass(frozen=True, kw_only=True)
    class Limits:
        max_drop: float = option(3.0, help="points of accuracy that may be lost", least=0, most=100)

        def __post_init__(self) -> None:
            check_options(self)

The annotation says the type: int, float, str, bool or a ``Literal`` of strings, a tuple of one of them, or any of these
or None. A command line reads its flags from here (:mod:`primesvt.studies.commands.options`); fields that are no options
are no flags.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import PrimeSVTError
from .suggestion import meant

_T = TypeVar("_T")
_SAID = "option"
_NOUNS: Mapping[type, tuple[str, str]] = {
    int: ("a whole number", "whole numbers separated by commas, such as 2,4"),
    float: ("a number", "numbers separated by commas, such as 0.1,0.5"),
    str: ("a text", "names separated by commas"),
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a field says of itself beside its type and default.

    Args:
        help: For a person: what the value is, with its unit.
        metavar: What stands for the value in a usage line.
        flag: The flag without dashes; the field's name, with ``no-`` before it for a bool that is on, where it is None.
        sets: What the flag of a bool sets; the opposite of the default where it is None.
        read: Makes a value from text; by the type where it is None.
        choices: The values allowed; any where there are none.
        meaning: Completes "NAME is" in an error, such as ``a probability``.
        least: The smallest value allowed.
        most: The largest one.
        above: The value must be larger.
        below: The value must be smaller.
    """

    help: str
    metavar: str | None = None
    flag: str | None = None
    sets: bool | None = None
    read: Callable[[str], Any] | None = None
    choices: Collection[Any] = ()
    meaning: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def range(self) -> str:
        """The range in words; empty where there is none."""
        if self.least is not None and self.most is not None:
            return f"between {self.least:g} and {self.most:g}"
        bounds = {"above": self.above, "at least": self.least, "below": self.below, "at most": self.most}
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)

    def allows(self, value: float) -> bool:
        """Whether a number is finite and in the range."""
        return (
            abs(value) < math.inf
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def option(
    default: _T,
    *,
    help: str,  # noqa: A002
    metavar: str | None = None,
    flag: str | None = None,
    sets: bool | None = None,
    read: Callable[[str], Any] | None = None,
    choices: Collection[Any] = (),
    meaning: str = "",
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> _T:
    """A dataclass field that is an option; see :class:`Said` for what it says."""
    said = Said(
        help=help, metavar=metavar, flag=flag, sets=sets, read=read, choices=choices, meaning=meaning,
        least=least, most=most, above=above, below=below,
    )  # fmt: skip
    field: _T = dataclasses.field(default=default, metadata={_SAID: said})
    return field


@dataclass(frozen=True)
class Option:
    """A field that is an option, with what its class says of it.

    Args:
        name: The field's.
        default: Its default.
        scalar: Type of the value, or of each of them.
        many: Whether it is a tuple.
        said: All else.
    """

    name: str
    default: Any
    scalar: type
    many: bool
    said: Said

    @property
    def sets(self) -> bool:
        """What the flag of a bool sets."""
        return not self.default if self.said.sets is None else self.said.sets

    @property
    def flag(self) -> str:
        """The flag, without the dashes before it."""
        no = "no-" if self.scalar is bool and not self.sets else ""
        return self.said.flag or no + self.name.replace("_", "-")

    def read(self, text: str) -> Any:
        """The value that a text means; its range is checked by the class.

        Raises:
            PrimeSVTError: It means none.
        """
        if self.said.read is not None:
            return self.said.read(text)
        try:
            if not self.many:
                return self.scalar(text)
            values = tuple(self.scalar(part.strip()) for part in text.split(",") if part.strip())
        except ValueError:
            values = ()
        if not values:
            raise PrimeSVTError(f"expected {_NOUNS[self.scalar][self.many]}, got {text!r}")
        return values

    def check(self, value: Any) -> None:
        """Refuse a value that is not allowed; None stands for nothing said where it is the default.

        Raises:
            PrimeSVTError: Naming the option, the value and what is allowed.
        """
        if value is None and self.default is None:
            return
        said = self.said
        for each in value if self.many else (value,):
            if said.choices and each not in said.choices:
                choices = [*map(str, said.choices)]
                guess = meant(each, choices) or "."
                raise PrimeSVTError(f"{self.flag} must be {' or '.join(choices)}, got {each!r}{guess}")
            if self.scalar is not str and self.scalar in _NOUNS and (each is None or not said.allows(each)):
                is_what = f"is {said.meaning}, {self._allowed};" if said.meaning else f"must be {self._allowed},"
                raise PrimeSVTError(f"{self.flag} {is_what} got {each}{self._percentage(each)}")

    def _percentage(self, value: Any) -> str:
        """What was meant, where a percentage was given for a fraction."""
        fraction = self.scalar is float and 1 in (self.said.below, self.said.most)
        if not fraction or value is None or not 1 < value < 100 or not self.said.allows(value / 100):
            return "."
        return f"; did you mean {value / 100:g}?"

    @property
    def _allowed(self) -> str:
        endless = self.scalar is float and self.said.most is None and self.said.below is None
        return " and ".join(filter(None, (self.said.range, "finite" if endless else "")))


def options(settings: type) -> tuple[Option, ...]:
    """The options of a settings dataclass, in the order of its fields."""
    types = get_type_hints(settings)
    return tuple(_option(f, types[f.name]) for f in dataclasses.fields(settings) if _SAID in f.metadata)


def check_options(settings: Any) -> None:
    """Refuse settings with a value that is not allowed: what a settings dataclass does first in ``__post_init__``.

    Raises:
        PrimeSVTError: Naming the option, the value and what is allowed.
    """
    for each in options(type(settings)):
        each.check(getattr(settings, each.name))


def _option(field: "dataclasses.Field[Any]", annotation: Any) -> Option:
    said: Said = field.metadata[_SAID]
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    many = get_origin(annotation) is not None and get_origin(annotation) is not Literal
    scalar = get_args(annotation)[0] if many else annotation
    if get_origin(scalar) is Literal:
        said, scalar = dataclasses.replace(said, choices=get_args(scalar)), str
    return Option(field.name, field.default, scalar, many, said)
