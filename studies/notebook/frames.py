"""Tables as frames of pandas, which is an extra, and the curve of a training."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

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


def epochs_figure(accuracies: Mapping[int, float]) -> go.Figure:
    """A curve of the accuracy on the selection set, in [0, 1], by the number of the epoch; 0 is before the first."""
    figure = go.Figure(go.Scatter(x=list(accuracies), y=[100 * each for each in accuracies.values()]))
    return figure.update_layout(xaxis_title="epochs", yaxis_title="accuracy on the selection set (%)", template="none")


def trials_frame(runs: Sequence[StudyRun]) -> Any:
    """Every finished trial of some studies, as trials.csv has it: a row each."""
    columns, rows = trial_rows(runs)
    return frame(rows, columns)
