"""What a study and its trials say of themselves, in Markdown."""

import shlex
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from primesvt.models.options import Option, options
from primesvt.pruning import needs_calibration
from primesvt.search import (
    ACCURACY_DROP,
    LAYER,
    MEMORY_SAVING,
    REUSED,
    Constraints,
    accuracy_of,
    decided_early,
    is_feasible,
    ratios_of,
    saving_of,
)

from ..running.settings import StudySettings
from .inspected import Inspected

_UNITS: Mapping[str, str] = {ACCURACY_DROP: "points of accuracy", MEMORY_SAVING: "points of memory"}
# So many layers are named of a plan.
_NAMED = 5


def study_note(inspected: Inspected, storage: str) -> str:
    """What a study is about, what it found so far, and how to go on with it.

    Args:
        inspected: The study.
        storage: URL of its storage, without a password.
    """
    rows = "\n".join(f"| {what} | {value} |" for what, value in _rows(inspected))
    found = inspected.shown
    prune = ""
    if found is not None:
        command = _line("prune", "MODEL", {"storage": storage, "study": inspected.study.study_name})
        command += f" --trial {found.number}{_data(inspected.settings)} -o smaller"
        prune = f"\n\nThe model of trial {found.number}:\n\n```\n{command}\n```"
    return (
        f"{_result(inspected)}\n\n| | |\n|---|---|\n{rows}\n\n"
        "To go on, or to help with another worker, with the same model (and --data); --trials N says how many trials "
        "the study shall have in all:\n\n"
        f"```\n{_resume(inspected, storage)}\n```{prune}"
    )


def trial_note(trial: FrozenTrial) -> str:
    """What a trial tried, what that saves and loses, and whether the limits are kept; empty before it has finished."""
    if trial.state != TrialState.COMPLETE or "accuracy_drop" not in trial.user_attrs:
        return ""
    attrs = trial.user_attrs
    stopped = ", an estimate, as measuring stopped there: the plan misses the limit" if decided_early(trial) else ""
    probe = f"It probes {attrs[LAYER]}. " if LAYER in attrs else ""
    reused = f" Taken from {attrs[REUSED]}, where it was measured." if REUSED in attrs else ""
    return (
        f"**{'Limits kept' if is_feasible(trial) else f'Limits missed by {_miss(trial)}'}.** {probe}"
        f"{_tried(trial)} That saves {saving_of(trial):.2%} of the bytes and loses {attrs['accuracy_drop']:.2f} points "
        f"on {attrs['images']:,} images{stopped}.{reused}"
    )


def limits_text(limits: Constraints) -> str:
    """The limits of a study in words."""
    margin = f" less a margin of {limits.margin:g}" if limits.margin else ""
    others = "".join(f"; {name} at most {most:g}" for name, most in limits.limits.items())
    return (
        f"at most {limits.max_drop:g} points of accuracy lost{margin}, at least {limits.min_saving:.2%} saved{others}"
    )


def _result(inspected: Inspected) -> str:
    trial = inspected.shown
    if trial is None:
        return "Nothing was measured yet."
    which = f"trial {trial.number} saves {saving_of(trial):.2%} of the bytes and loses"
    lost = f"{trial.user_attrs['accuracy_drop']:.2f} points on {trial.user_attrs['images']:,} selection images"
    lost += ", by an estimate" if decided_early(trial) else ""
    if is_feasible(trial):
        return f"**So far {which} {lost}: the best within the limits.**"
    return f"**No plan keeps the limits so far.** The nearest, {which} {lost}: it misses by {_miss(trial)}."


def _rows(inspected: Inspected) -> list[tuple[str, str]]:
    settings, base, finished = inspected.settings, inspected.baseline, inspected.finished
    kept, early = sum(map(is_feasible, finished)), sum(map(bool, map(decided_early, finished)))
    layers = next((ratios_of(trial) for trial in finished if trial.params), {})
    return [
        ("limits", limits_text(settings.constraints)),
        ("unpruned model", f"{base.bytes:,} bytes, {base.accuracy:.2%} of {base.images:,} selection images"),
        ("trials", f"{len(finished)} measured, {kept} keep the limits; {early} stopped early"),
        ("sampler", f"{settings.sampler} ({settings.kind.summary}), seed {settings.seed}"),
        (
            "space",
            f"{settings.chosen_space}: {len(layers)} layers, ratios up to {settings.max_ratio:g} in steps of "
            f"{settings.step:g}; told first: {settings.chosen_start}",
        ),
        ("channels", f"by {settings.criterion}; repair: {', '.join(settings.repair) or 'none'}"),
        ("model, data", f"fingerprints `{inspected.identity.get('model')}`, `{inspected.identity.get('data')}`"),
    ]


def _resume(inspected: Inspected, storage: str) -> str:
    settings = inspected.settings
    given: dict[str, Any] = {
        "sampler": settings.sampler,
        "seed": settings.seed,
        "study": inspected.study.study_name,
        "storage": storage,
    }
    limits = "".join(f" --limit {name}={most:g}" for name, most in settings.constraints.limits.items())
    flags = [_flags(settings.constraints) + limits, _flags(settings.as_said()), _flags(settings.options)]
    return " \\\n   ".join([_line("search", "MODEL", given), *filter(None, flags)])


def _line(command: str, model: str, given: Mapping[str, Any]) -> str:
    flags = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    return shlex.join(["primesvt", command, model, *flags])


def _data(settings: StudySettings) -> str:
    """Criteria and repair steps that look at images need them."""
    return " --data DATA" if needs_calibration(settings.criterion, settings.repair) else ""


def _flags(settings: Any) -> str:
    """The flags of a settings dataclass that are not at their defaults."""
    own = ((each, getattr(settings, each.name)) for each in options(type(settings)))
    return "".join(" " + _flag(each, value) for each, value in own if value != each.default)


def _flag(each: Option, value: Any) -> str:
    if each.scalar is bool:
        return f"--{each.flag}"
    text = ",".join(map(str, value)) if each.many else f"{value:g}" if each.scalar is float else str(value)
    return f"--{each.flag} {shlex.quote(text)}"


def _miss(trial: FrozenTrial) -> str:
    over = {name: excess for name, excess in trial.constraints.items() if excess > 0}
    return " and ".join(
        f"{excess:.2f} {_UNITS.get(name, f'% of the limit of {name}')}" for name, excess in over.items()
    )


def _tried(trial: FrozenTrial) -> str:
    ratios = sorted(((ratio, layer) for layer, ratio in ratios_of(trial).items() if ratio), key=lambda item: -item[0])
    if not ratios:
        return "Nothing is removed."
    named = ", ".join(f"{ratio:.0%} of {layer}" for ratio, layer in ratios[:_NAMED])
    more = f" and less of {len(ratios) - _NAMED} more layers" if len(ratios) > _NAMED else ""
    return f"Removes {named}{more}. Accuracy {accuracy_of(trial):.2%}."
