"""What all figures have in common: colours that people with any colour vision can tell apart, fonts, margins."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..comparison import Comparison

# Okabe and Ito's palette.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
GREY = "#6b717a"
LIMIT = "#c0392b"
# Above so many rows they are drawn lower.
_MANY_ROWS = 24


def colours(comparison: Comparison) -> dict[str, str]:
    """One colour per sampler, the same in every figure."""
    return {sampler: _COLOURS[i % len(_COLOURS)] for i, sampler in enumerate(comparison.samplers)}


def faint(colour: str, opacity: float = 0.15) -> str:
    """A colour ``#rrggbb`` for areas, so that what lies below is seen."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def finish(figure: go.Figure, height: int) -> go.Figure:
    """The look of all figures; names of samplers stand below, wrapped where they are many."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        # Below, where it grows on a narrow screen without covering the buttons.
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
        font={"family": "system-ui, sans-serif", "size": 13},
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def heatmap(
    columns: Sequence[str], rows: Sequence[str], values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]], **look: object,
) -> go.Heatmap:  # fmt: skip
    """Cells with their numbers, rows from top to bottom as given."""
    return go.Heatmap(
        x=list(columns),
        y=list(rows),
        z=[list(row) for row in values],
        text=[list(row) for row in texts],
        texttemplate="%{text}",
        textfont={"size": 11},
        xgap=1,
        ygap=1,
        hovertemplate="%{y}<br>%{x}: %{text}<extra></extra>",
        **look,
    )


def finish_rows(figure: go.Figure, rows: int) -> go.Figure:
    """A heatmap with so many rows: every one has its name."""
    figure.update_yaxes(autorange="reversed", tickmode="linear", dtick=1, tickfont={"size": 11})
    return finish(figure, 150 + (26 if rows <= _MANY_ROWS else 19) * rows)
