"""What a model loses with one layer pruned, layer by rate, on a scale that any colour vision can read."""

import plotly.graph_objects as go

from primesvt.pruning import Robustness

from .style import LIMIT, finish_rows, heatmap

# So many times the limit, all is bad alike.
_WORST = 4.0


def robustness(measured: Robustness, limit: float | None = None) -> go.Figure:
    """Points of accuracy lost with one layer pruned.

    Args:
        measured: The accuracies.
        limit: Points that may be lost: a line in every row is between the rates that keep it and those that do not.
    """
    rates = sorted({rate for row in measured.layers.values() for rate in row})
    names = list(measured.layers)
    lost = [
        [100 * (measured.accuracy - row[rate]) if rate in row else None for rate in rates]
        for row in measured.layers.values()
    ]
    texts = [
        [
            "" if points is None else f"{'~' if (name, rate) in measured.estimated else ''}{_points(points)}"
            for rate, points in zip(rates, row, strict=True)
        ]
        for name, row in zip(names, lost, strict=True)
    ]
    most = max((points for row in lost for points in row if points is not None), default=1.0)
    worst = max(most, 1.0) if not limit else _WORST * limit
    figure = go.Figure(
        heatmap(
            [f"{rate:g}" for rate in rates], names, lost, texts,
            colorscale="Cividis", reversescale=True, zmin=0, zmax=worst, colorbar=_colorbar(worst, limit),
        )
    )  # fmt: skip
    if limit is not None:
        _mark(figure, lost, limit)
    figure.update_xaxes(title="ratio of the layer's channels removed", type="category")
    return finish_rows(figure, len(names))


def _points(points: float) -> str:
    # Nobody wants to read -0.0.
    return f"{points:.1f}".replace("-0.0", "0.0")


def _colorbar(worst: float, limit: float | None) -> dict[str, object]:
    bar: dict[str, object] = {
        "title": {"text": "points lost", "side": "top"}, "orientation": "h", "thickness": 10, "y": 1.0,
        "yanchor": "bottom", "x": 0, "xanchor": "left", "len": 0.9,
    }  # fmt: skip
    if limit is not None:
        ends = {0.0: "0", limit: f"{limit:g} (limit)", worst: f"{worst:g} and more"}
        bar |= {"tickvals": list(ends), "ticktext": list(ends.values())}
    return bar


def _mark(figure: go.Figure, lost: list[list[float | None]], limit: float) -> None:
    for row, points in enumerate(lost):
        before = True
        for column, value in enumerate(points):
            if value is None:
                continue
            kept = value <= limit
            if before and not kept:
                figure.add_shape(
                    type="line", x0=column - 0.5, x1=column - 0.5, y0=row - 0.5, y1=row + 0.5,
                    line={"color": LIMIT, "width": 3},
                )  # fmt: skip
            before = kept
