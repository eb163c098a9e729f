"""What defines a search, except its sampler and seed: the options, declared once, and the settings they make."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from primesvt.models import PrimeSVTError
from primesvt.models.options import options
from primesvt.pruning import MEASURES, measures
from primesvt.search import Constraints
from primesvt.search.samplers import SAMPLERS, sampler_kind, samplers

from ..running.settings import StudySettings
from .options import add_options, options_of
from .quantities import add_quantities, most_of, objectives_of

# What a default of None or nothing means.
UNSET = {"images": "all", "layers": "all", "repair": "none"}
_T = TypeVar("_T")
# What add_backend declares is no part of what is searched.
_SEARCHED = tuple(each.name for each in options(StudySettings) if each.name != "precision")


def add_search(parser: argparse.ArgumentParser) -> None:
    """Everything that defines a search, except the sampler and its seed."""
    group = parser.add_argument_group("limits")
    add_options(group, Constraints)
    group.add_argument(
        "--limit",
        metavar="MEASURE=MOST",
        dest="limits",
        action="append",
        type=_limit,
        default=[],
        help="the most that a measure may be, alone or with its unit; may be given several times "
        f"(known: {', '.join(_installed(measures, MEASURES))}; primesvt measure MODEL shows them)",
    )
    searched = parser.add_argument_group("what is searched")
    add_options(searched, StudySettings, only=_SEARCHED, unset=UNSET)
    add_quantities(searched, group)
    declared: set[str] = set()
    for kind in _installed(samplers, SAMPLERS).values():
        # An option that several samplers have is declared with the first of them.
        own = [each.name for each in options(kind.options) if each.name not in declared]
        if own:
            add_options(parser.add_argument_group(f"the sampler {kind.name}"), kind.options, only=own)
        declared.update(own)


def _installed(every: Callable[[], Mapping[str, _T]], own: Mapping[str, _T]) -> Mapping[str, _T]:
    """PrimeSVT's own and other packages'; where one of those is broken, whoever asks for it is told so, no others."""
    try:
        return every()
    except PrimeSVTError:
        return own


def samplers_text() -> str:
    """Every installed sampler with what it is, for a help."""
    return "; ".join(f"{kind.name}: {kind.summary}" for kind in _installed(samplers, SAMPLERS).values()).replace(
        "%", "%%"
    )


def _limit(text: str) -> tuple[str, float]:
    """A measure and its largest value."""
    name, equals, most = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected MEASURE=MOST, such as state-bytes=500000, got {text!r}")
    try:
        return most_of(name)(most)
    except PrimeSVTError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def settings_of(args: argparse.Namespace, sampler: str, seed: int) -> StudySettings:
    """The search that the options ask for.

    Raises:
        PrimeSVTError: A value is not allowed.
    """
    constraints = options_of(args, Constraints, {"limits": dict(args.limits)})
    own = options_of(args, sampler_kind(sampler).options)
    told = {"sampler": sampler, "options": own, "seed": seed, "constraints": constraints}
    return replace(options_of(args, StudySettings, told), objectives=objectives_of(args))


def sampler_name(text: str) -> str:
    """A known sampler."""
    try:
        return sampler_kind(text).name
    except PrimeSVTError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
