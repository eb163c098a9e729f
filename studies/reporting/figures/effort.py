"""What was found against what it cost: the best saving, the distance to the limits, and the hypervolume within them."""

from collections.abc import Callable, Sequence
from itertools import accumulate

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..comparison import Comparison, StudyResult
from .style import colours, finish

_Curve = Sequence[float | None]
_COSTS: tuple[tuple[str, Callable[[StudyResult], Sequence[float]]], ...] = (
    ("images forwarded", lambda study: study.history.images),
    ("seconds", lambda study: study.history.seconds),
    ("trials", lambda study: range(1, len(study.history.points) + 1)),
)


def effort(comparison: Comparison) -> go.Figure:
    """Three curves of every study against images; buttons choose seconds or trials instead."""
    rows: tuple[tuple[str, str, Callable[[StudyResult], _Curve]], ...] = (
        ("saved within<br>the limits (%)", ".2f", best_saving),
        ("points to<br>the limits", ".2f", distance),
        ("hypervolume<br>(%·points)", ",.1f", lambda study: _volume(study, comparison)),
    )
    figure = make_subplots(rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=0.05)
    palette = colours(comparison)
    drawn: list[StudyResult] = []
    for row, (title, form, curve) in enumerate(rows, 1):
        for sampler, studies in comparison.samplers.items():
            for i, study in enumerate(studies):
                drawn.append(study)
                figure.add_trace(
                    go.Scatter(
                        x=list(_COSTS[0][1](study)),
                        y=list(curve(study)),
                        mode="lines",
                        line={"color": palette[sampler], "width": 1.8, "shape": "hv"},
                        opacity=0.75,
                        name=sampler,
                        legendgroup=sampler,
                        showlegend=row == 1 and i == 0,
                        hovertemplate=f"{study.name}, at %{{x:,.0f}}: %{{y:{form}}}<extra></extra>",
                    ),
                    row=row,
                    col=1,
                )
        figure.update_yaxes(title={"text": title, "font": {"size": 12}}, row=row, col=1, rangemode="tozero")
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title=_COSTS[0][0], row=len(rows), col=1)
    _add_buttons(figure, drawn, len(rows))
    return finish(figure, 640).update_layout(margin={"t": 90})


def best_saving(study: StudyResult) -> list[float | None]:
    """The largest saving within the limits after each trial, in per cent; None where nothing was found yet."""
    history = study.history
    found = [100 * x if feasible else -1.0 for (x, _), feasible in zip(history.points, history.feasible, strict=True)]
    return [best if best >= 0 else None for best in accumulate(found, max)]


def distance(study: StudyResult) -> list[float | None]:
    """By how many points the nearest plan so far misses the limits, added up; 0 once one keeps them."""
    return [*accumulate(study.history.violations, min)]


def _volume(study: StudyResult, comparison: Comparison) -> list[float | None]:
    """Per cent of the bytes times points of accuracy: in fractions it is a number that nobody can read."""
    return [1e4 * volume for volume in study.history.hypervolume(comparison.corner, feasible_only=True)]


def _add_buttons(figure: go.Figure, drawn: Sequence[StudyResult], last: int) -> None:
    buttons = [
        {
            "label": name,
            "method": "update",
            "args": [{"x": [list(cost(study)) for study in drawn]}, {f"xaxis{last}.title.text": name}],
        }
        for name, cost in _COSTS
    ]
    figure.update_layout(
        updatemenus=[
            {
                "type": "buttons", "direction": "right", "buttons": buttons, "x": 0, "xanchor": "left", "y": 1.01,
                "yanchor": "bottom", "pad": {"l": 0, "t": 0, "b": 0}, "font": {"size": 12},
            }
        ]
    )  # fmt: skip
