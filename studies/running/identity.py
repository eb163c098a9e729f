"""All that must be the same when a study goes on, and what is said where it is not."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from primesvt.models import ImageSet, PrimeSVTError, fingerprint
from primesvt.search.samplers import sampler_kind

from .settings import EARLIER, StudySettings

# Of the settings that studies of earlier versions lack, what may be anything when one goes on: what it has measured in
# full is right under any risk.
_ANYTHING = ("risk", "calibration")


def study_identity(settings: StudySettings, model: nn.Module, images: ImageSet) -> dict[str, Any]:
    """All that must be the same when a study goes on."""
    return {**settings.to_json(), "model": fingerprint(model), "data": images.fingerprint}


def check_identity(study_name: str, stored: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with a study that was started with something else.

    A setting that a study lacks, because an earlier version made it, is what that version did.

    Raises:
        PrimeSVTError: Naming what differs.
    """
    if stored is None:
        raise PrimeSVTError(f"The study {study_name!r} exists, but was not made by PrimeSVT; choose another name.")
    earlier = {**EARLIER, "limits": {}, **sampler_kind(wanted["sampler"]).earlier}
    anything = {name: wanted[name] for name in _ANYTHING}
    now = _flat(wanted)
    before = {**{name: _lists(value) for name, value in earlier.items()}, **anything, **_flat(stored)}
    differing = [
        name if name in ("model", "data") else f"{name.replace('_', '-')} ({before.get(name)!r}, now {now[name]!r})"
        for name in now
        if before.get(name) != now[name]
    ]
    if differing:
        raise PrimeSVTError(
            f"The study {study_name!r} was started with another {', '.join(differing)}. Give the same options to go "
            "on, or begin a new one: another --study in a search, another -o or --prefix in a comparison."
        )


def _lists(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """All on one level: a limit is named as its option is."""
    return {**{k: v for k, v in identity.items() if k != "constraints"}, **identity.get("constraints", {})}
