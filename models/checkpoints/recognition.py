"""Whose weights a state dict holds, by the names of its keys."""

from collections import Counter
from collections.abc import Iterator, Mapping

from ..errors import PrimeSVTError
from ..families.config import ModelConfig
from ..families.layout import Layout, State
from ..suggestion import unknown

# Below this share of known keys, a checkpoint is of no layout, and not of one with some keys missing.
_RECOGNISED = 0.5


def recognised(
    state: State, installed: Mapping[str, type[ModelConfig]], family: str | None, name: str | None
) -> tuple[type[ModelConfig], Layout, str]:
    """The family and the layout that know most of the keys, and the prefix below which those keys are.

    Args:
        state: What ``state_dict()`` of the other code returned.
        installed: The families by name.
        family: The family that it must be, or None.
        name: The published size that it must be, or None.

    Raises:
        PrimeSVTError: The family or the size is unknown, or the weights are of no known layout.
    """
    known = installed
    if name is not None:
        known = {key: kind for key, kind in installed.items() if name in kind.published}
        if not known:
            names = [n for kind in installed.values() for n in kind.published]
            raise unknown("configuration", name, names)
    if family is not None:
        if family not in installed:
            raise unknown("family", family, installed)
        if family not in known:
            raise PrimeSVTError(f"{name} is a {next(iter(known))}, not a {family}.")
        known = {family: known[family]}
    scored = [
        (layout.coverage(inner), kind, layout, prefix)
        for prefix, inner in _below(state)
        for kind in known.values()
        for layout in kind.layouts
    ]
    score, kind, layout, prefix = max(scored, key=lambda found: found[0], default=(0.0, ModelConfig, None, ""))
    if layout is None or score < _RECOGNISED:
        of = f"a {family}" if family else f"{name}" if name else "a family that PrimeSVT knows"
        raise PrimeSVTError(
            f"These weights are not of {of}: their first keys are {', '.join(list(state)[:3])}. "
            f"Known are {', '.join(installed)}, each as its official code or SpikingJelly's zoo names its weights."
        )
    return kind, layout, prefix


def _below(state: State) -> Iterator[tuple[str, State]]:
    """The keys as they are, and below every prefix that most of them share: code around a model gives it a name."""
    yield "", state
    prefixes = Counter(key[: key.index(".") + 1] for key in state if "." in key)
    for prefix, count in prefixes.items():
        if 2 * count > len(state):
            yield prefix, {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
