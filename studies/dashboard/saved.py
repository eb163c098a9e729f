"""Notes and figures that are kept in the storage, by optuna-dashboard's own functions."""

import hashlib
import re

import optuna

from .figures import front, layers, robustness
from .inspected import Inspected
from .notes import study_note

# A comment in Markdown: it is not shown, and tells whether somebody has edited what is above it.
_SIGNATURE = re.compile(r"\n\n\[//\]: # \(written by PrimeSVT, ([0-9a-f]{16})\)$")
_FIGURES = {"layers": layers, "front": front, "robustness": robustness}


def save(study: optuna.Study, storage: str) -> bool:
    """Write a study's note and figures, where they are not what they were; returns whether something was written.

    A note that a person has edited is left alone, and figures go on.

    Args:
        study: The study; nothing happens where it is none of PrimeSVT's.
        storage: URL of its storage, without a password.
    """
    # Part of the extra `dashboard`.
    from optuna_dashboard import get_note, save_note, save_plotly_graph_object

    inspected = Inspected.of(study)
    if inspected is None:
        return False
    note, before = signed(study_note(inspected, storage)), get_note(study)
    if note == before:
        return False
    if not before or is_ours(before):
        save_note(study, note)
    for name, make in _FIGURES.items():
        figure = make(inspected)
        if figure is not None:
            save_plotly_graph_object(study, figure, graph_object_id=f"primesvt-{name}")
    return True


def signed(text: str) -> str:
    """A note with its signature."""
    return f"{text}\n\n[//]: # (written by PrimeSVT, {_hash(text)})"


def is_ours(note: str) -> bool:
    """Whether a note is as PrimeSVT wrote it."""
    found = _SIGNATURE.search(note)
    return found is not None and found[1] == _hash(note[: found.start()])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
