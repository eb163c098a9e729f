"""Tables as frames of pandas, which is an extra."""

from collections.abc import Sequence
from typing import Any

from primesvt.models import PrimeSVTError

from ..reporting.trials import trial_rows
from ..running.study_run import StudyRun


def frame(rows: Sequence[Any], columns: Sequence[str] | None = None, index: Sequence[str] | None = None) -> Any:
    """A ``pandas.DataFrame``.

    Args:
        rows: Dictionaries, or sequences of cells.
        columns: Their names, in order.
        index: Names of the rows.

    Raises:
        PrimeSVTError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise PrimeSVTError("Frames need pandas: python -m pip install 'primesvt[notebook]'.") from error
    return pd.DataFrame(rows, columns=columns, index=index)


def trials_frame(runs: Sequence[StudyRun]) -> Any:
    """Every finished trial of some studies, as trials.csv has it: a row each."""
    columns, rows = trial_rows(runs)
    return frame(rows, columns)
