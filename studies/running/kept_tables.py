"""What some measures have to know of the unpruned model first, such as its latency: measured once, kept in the study.

A study that goes on, here or on another machine, and every other study of the model in its storage, take the table that
the first one began with: their numbers are comparable.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import optuna
from optuna.storages import BaseStorage
from torch import nn

from primesvt.models import fingerprint

from .settings import StudySettings, Tables
from .study_run import SETTINGS, TABLES


def tables_for(
    study: optuna.Study | None,
    storage: BaseStorage,
    settings: StudySettings,
    model: nn.Module,
    tell: Callable[[str, int, int], None],
) -> Tables:
    """The tables that the measures of a study need.

    Args:
        study: The study, where it exists already.
        storage: Whose other studies may have them.
        settings: Of the study.
        model: The unpruned model.
        tell: Called with a measure's name, the number of steps of its table that are done, and of all.

    Raises:
        PrimeSVTError: A table cannot be measured.
    """
    found: dict[str, Mapping[str, Any]] = dict({} if study is None else study.user_attrs.get(TABLES, {}))
    wanted = [measure for measure in settings.all_measures if measure.needs_table and measure.name not in found]
    if wanted:
        found = {**_of_others(storage, fingerprint(model)), **found}
    for measure in wanted:
        if measure.table is not None and measure.name not in found:
            found[measure.name] = measure.table(model, partial(tell, measure.name))
    return {measure.name: found[measure.name] for measure in settings.all_measures if measure.needs_table}


def keep_tables(study: optuna.Study, tables: Tables) -> Tables:
    """Write tables into a study, except for those that another worker was faster with; returns what it has then."""
    before = study.user_attrs.get(TABLES, {})
    kept = {**tables, **before}
    if kept != before:
        study.set_user_attr(TABLES, kept)
    return kept


def _of_others(storage: BaseStorage, model: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for summary in optuna.get_all_study_summaries(storage, include_best_trial=False):
        if summary.user_attrs.get(SETTINGS, {}).get("model") == model:
            found |= summary.user_attrs.get(TABLES, {})
    return found
