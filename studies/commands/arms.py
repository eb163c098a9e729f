"""The arms of a comparison: a sampler with the space that it draws from and what it is told before, ``tpe+budget``."""

import argparse
from dataclasses import replace

from primesvt.models import PrimeSVTError
from primesvt.search.samplers import NO_START, POLICY_START, SPACES, STARTS, SamplerKind, sampler_kind

from ..running.progress import say
from ..running.settings import StudySettings
from ..running.several import Arm
from .arguments import settings_of

_WORDS = {**dict.fromkeys(SPACES, "space"), **dict.fromkeys(STARTS, "start")}


def arms(args: argparse.Namespace) -> list[Arm]:
    """The arms of a command line; one that begins with the policy's plan comes after those that do not.

    Raises:
        PrimeSVTError: There is no such arm, or its sampler cannot do what it names.
    """
    every = [_arm(args, text) for text in args.samplers]
    # tpe and tpe with the space that it has anyway are one.
    found = {arm.name: arm for arm in every}.values()
    return sorted(found, key=lambda arm: arm.settings.chosen_start == POLICY_START)


def _arm(args: argparse.Namespace, text: str) -> Arm:
    sampler, own = _words(text)
    kind, said = sampler_kind(sampler), vars(args)
    flags = {name: said[name] for name in ("space", "start") if name in said and name not in own}
    cannot = {name for name, value in flags.items() if not _can(kind, name, value)}
    for name in sorted(cannot):
        say(f"--{name} {flags[name]} is for the others: {sampler} has a course of its own.")
    own = {**{name: value for name, value in flags.items() if name not in cannot}, **own}
    others = {name: value for name, value in said.items() if name not in ("space", "start")}
    settings = settings_of(argparse.Namespace(**others, **own), sampler, args.seed)
    if not args.stop_at_target:
        settings = replace(settings, options=kind.at_its_best(settings.options))
    return Arm(arm_name(settings), settings, args.trials)


def arm_name(settings: StudySettings) -> str:
    """The sampler, with its space and its start where they are not the sampler's defaults; begins a study's name."""
    said = settings.as_said()
    return "+".join(filter(None, (settings.sampler, said.space, said.start)))


def _words(text: str) -> tuple[str, dict[str, str]]:
    """A sampler, and what its arm says beside it."""
    sampler, *words = text.split("+")
    unknown = [word for word in words if word not in _WORDS]
    if unknown:
        raise PrimeSVTError(
            f"Unknown {unknown[0]!r} in the arm {text!r}; after a sampler may come a space ({', '.join(SPACES)}) and a "
            f"start ({', '.join(STARTS)}), as in tpe+budget+uniform."
        )
    return sampler_kind(sampler).name, {_WORDS[word]: word for word in words}


def _can(kind: SamplerKind, name: str, value: str) -> bool:
    return value in kind.spaces if name == "space" else not kind.deterministic or value == NO_START
