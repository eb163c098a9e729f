"""The arms of a comparison: a sampler with the space that it draws from and what it is told before, ``tpe+budget``."""

import argparse
from dataclasses import replace

from optuna.storages import BaseStorage

from primesvt.models import PrimeSVTError, meant
from primesvt.search.samplers import NO_START, POLICY_START, SPACES, STARTS, SamplerKind, sampler_kind

from ..running.arm import Arm
from ..running.progress import say
from ..running.settings import StudySettings
from ..running.storage import storage_errors
from ..running.study_run import SETTINGS, existing
from .search_options import settings_of

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


def at_its_best(study: Arm, storage: BaseStorage) -> Arm:
    """A study with the options that show all that its sampler can.

    One that was begun without them, as a comparison of version 0.1 or with ``--stop-at-target``, goes on as it began.

    Args:
        study: As it is asked for, by its whole name.
        storage: Where it may lie.
    """
    settings = study.settings
    best = replace(settings, options=settings.kind.at_its_best(settings.options))
    with storage_errors(f"study {study.name!r}"):
        found = existing(study.name, storage)
        stored = None if found is None else found.user_attrs.get(SETTINGS)
    if best == settings or stored is None or stored.get("sampler") != settings.sampler:
        return replace(study, settings=best)
    if StudySettings.from_json(stored).options != settings.as_begun(stored).options:
        return replace(study, settings=best)
    say(f"{study.name} goes on as it was begun, which was not at its best: as with --stop-at-target.")
    return study


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
        guess = meant(unknown[0], _WORDS)
        raise PrimeSVTError(
            f"Unknown {unknown[0]!r} in the arm {text!r}{f'{guess} After' if guess else '; after'} a sampler may come "
            f"a space ({', '.join(SPACES)}) and a start ({', '.join(STARTS)}), as in tpe+budget+uniform."
        )
    return sampler_kind(sampler).name, {_WORDS[word]: word for word in words}


def _can(kind: SamplerKind, name: str, value: str) -> bool:
    return value in kind.spaces if name == "space" else not kind.deterministic or value == NO_START
