"""The figures of a report, as plotly figures."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from primesvt.pruning import Robustness

from .comparison import Comparison, ReportedPlan, StudyResult, best_plan, nearest_plan

# Okabe and Ito's palette, which people with any colour vision can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
_GREY = "#8a8f98"
_LIMIT = "#c0392b"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")


def colours(comparison: Comparison) -> dict[str, str]:
    """One colour per sampler, the same in every figure."""
    return {sampler: _COLOURS[i % len(_COLOURS)] for i, sampler in enumerate(comparison.samplers)}


def fronts(comparison: Comparison, *, test: bool) -> go.Figure:
    """Pareto fronts of all samplers on the test or the selection set, with intervals and limits."""
    figure = go.Figure()
    base = comparison.test_baseline if test else comparison.baseline
    right, bottom, top = _window(comparison, test=test)
    _add_limits(figure, comparison, right, bottom, top, test=test)
    figure.add_trace(
        go.Scatter(
            x=[0],
            y=[100 * base.accuracy],
            mode="markers",
            name="unpruned",
            marker={"symbol": "star", "size": 13, "color": _GREY},
            hovertemplate=f"unpruned: {base.accuracy:.2%}<extra></extra>",
        )
    )
    palette = colours(comparison)
    for sampler, studies in comparison.samplers.items():
        if not test:
            _add_cloud(figure, sampler, studies, palette[sampler])
        for i, study in enumerate(studies):
            _add_front(figure, study, palette[sampler], _SYMBOLS[i % len(_SYMBOLS)], test=test, legend=i == 0)
    winner = comparison.winner
    if winner is not None:
        _add_ring(figure, winner, test=test)
    figure.update_xaxes(title="memory saved (% of bytes)", range=[-1, right], zeroline=False)
    figure.update_yaxes(title=f"accuracy on the {'test' if test else 'selection'} set (%)", range=[bottom, top])
    return _finish(figure, 520)


def _least(comparison: Comparison, *, test: bool) -> float:
    """The accuracy, in per cent, below which a plan misses the limit that the user set."""
    base = comparison.test_baseline if test else comparison.baseline
    return 100 * base.accuracy - comparison.constraints.max_drop


def _window(comparison: Comparison, *, test: bool) -> tuple[float, float, float]:
    """The largest saving, and the smallest and the largest accuracy to show, in per cent."""
    limits, least = comparison.constraints, _least(comparison, test=test)
    base = comparison.test_baseline if test else comparison.baseline
    shown = [plan for study in comparison.studies for plan in study.front]
    right = max([100 * plan.selection.memory_saving for plan in shown] + [100 * limits.min_saving]) + 5
    lowest = min([100 * _measured(plan, test).interval[0] for plan in shown] + [least])
    # Far below the limit nobody looks; but the plans of the table are always there.
    chosen = [plan for plan in best_of_samplers(comparison).values() if plan is not None]
    window = min([least - 4 * max(limits.max_drop, 1), *(100 * _measured(p, test).interval[0] for p in chosen)])
    bottom = max(0.0, max(lowest, window) - 1)
    top = 100 * max([base.interval[1], *(_measured(plan, test).interval[1] for plan in shown)]) + 0.5
    return right, bottom, top


def _add_limits(
    figure: go.Figure, comparison: Comparison, right: float, bottom: float, top: float, *, test: bool
) -> None:
    """Lines at the limits; what is outside of them is shaded."""
    limits, least = comparison.constraints, _least(comparison, test=test)
    for x0, x1, y0, y1 in ((0, right, bottom, least), (0, 100 * limits.min_saving, least, top)):
        figure.add_shape(
            type="rect", x0=x0, x1=x1, y0=y0, y1=y1, fillcolor=_LIMIT, opacity=0.07, line_width=0, layer="below"
        )
    figure.add_hline(least, line={"color": _LIMIT, "dash": "dash", "width": 1.5})
    figure.add_vline(100 * limits.min_saving, line={"color": _LIMIT, "dash": "dash", "width": 1.5})
    figure.add_annotation(
        x=0, xref="paper", y=least, text=f"limit: {limits.max_drop:g} points lost", showarrow=False,
        xanchor="left", yanchor="top", font={"color": _LIMIT, "size": 12},
    )  # fmt: skip
    figure.add_annotation(
        x=100 * limits.min_saving, y=0, yref="paper", text=f"limit: {limits.min_saving:.2%} saved", showarrow=False,
        xanchor="left", yanchor="bottom", font={"color": _LIMIT, "size": 12},
    )  # fmt: skip


def _measured(plan: ReportedPlan, test: bool):  # type: ignore[no-untyped-def]
    return plan.test if test else plan.selection


def _add_cloud(figure: go.Figure, sampler: str, studies: Sequence[StudyResult], colour: str) -> None:
    points = [point for study in studies for point in study.history.points]
    symbols = ["circle" if whole else "circle-open" for study in studies for whole in study.history.whole]
    figure.add_trace(
        go.Scatter(
            x=[100 * x for x, _ in points],
            y=[100 * y for _, y in points],
            mode="markers",
            marker={"color": colour, "size": 4, "opacity": 0.35, "symbol": symbols},
            name=f"{sampler}, every trial",
            legendgroup=sampler,
            showlegend=False,
            hoverinfo="skip",
        )
    )


def _add_front(figure: go.Figure, study: StudyResult, colour: str, symbol: str, *, test: bool, legend: bool) -> None:
    plans = sorted(study.front, key=lambda plan: plan.selection.memory_saving)
    if not plans:
        return
    values = [100 * _measured(plan, test).accuracy for plan in plans]
    bounds = [_measured(plan, test).interval for plan in plans]
    figure.add_trace(
        go.Scatter(
            x=[100 * plan.selection.memory_saving for plan in plans],
            y=values,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [100 * high - value for value, (_, high) in zip(values, bounds, strict=True)],
                "arrayminus": [value - 100 * low for value, (low, _) in zip(values, bounds, strict=True)],
                "thickness": 1,
                "width": 3,
            },
            mode="lines+markers",
            line={"color": colour, "width": 1.5, "shape": "vh"},
            marker={
                "color": [colour if plan.feasible else "white" for plan in plans],
                "line": {"color": colour, "width": 1.5},
                "symbol": symbol,
                "size": 9,
            },
            name=study.sampler,
            legendgroup=study.sampler,
            showlegend=legend,
            customdata=[[study.name, plan.trial, plan.selection.bytes, _measured(plan, test).images] for plan in plans],
            hovertemplate=(
                "%{customdata[0]}, trial %{customdata[1]}<br>%{x:.2f} % saved (%{customdata[2]:,} bytes)<br>"
                "accuracy %{y:.2f} % on %{customdata[3]:,} images<extra></extra>"
            ),
        )
    )


def _add_ring(figure: go.Figure, winner: ReportedPlan, *, test: bool) -> None:
    figure.add_trace(
        go.Scatter(
            x=[100 * winner.selection.memory_saving],
            y=[100 * _measured(winner, test).accuracy],
            mode="markers",
            name="chosen plan",
            marker={"symbol": "circle-open", "size": 20, "color": "#222", "line": {"width": 2}},
            hoverinfo="skip",
        )
    )


def hypervolume(comparison: Comparison) -> go.Figure:
    """Hypervolume against evaluations, images and seconds: within the limits, below of all plans measured in full."""
    costs: tuple[tuple[str, Callable[[StudyResult], Sequence[float]]], ...] = (
        ("evaluations", lambda study: range(1, len(study.history.points) + 1)),
        ("images forwarded", lambda study: study.history.images),
        ("seconds", lambda study: study.history.seconds),
    )
    figure = make_subplots(rows=2, cols=3, shared_yaxes=True, horizontal_spacing=0.04, vertical_spacing=0.1)
    palette = colours(comparison)
    for row, (reference, feasible_only) in enumerate(((comparison.corner, True), ((0.0, 0.0), False)), 1):
        for sampler, studies in comparison.samplers.items():
            for i, study in enumerate(studies):
                curve = study.history.hypervolume(reference, feasible_only=feasible_only)
                for column, (_, cost) in enumerate(costs, 1):
                    figure.add_trace(
                        go.Scatter(
                            x=[0, *cost(study)],
                            y=[0, *curve],
                            mode="lines",
                            line={"color": palette[sampler], "width": 1.5, "shape": "hv"},
                            name=sampler,
                            legendgroup=sampler,
                            showlegend=row == 1 and column == 1 and i == 0,
                            hovertemplate=f"{study.name}<br>%{{x:,.0f}}: %{{y:.4g}}<extra></extra>",
                        ),
                        row=row,
                        col=column,
                    )
        figure.update_yaxes(
            title="within the limits" if row == 1 else "measured in full", row=row, col=1, rangemode="tozero"
        )
    figure.update_yaxes(exponentformat="power")
    for column, (name, _) in enumerate(costs, 1):
        figure.update_xaxes(title=name, row=2, col=column)
    return _finish(figure, 560)


def layers(comparison: Comparison) -> go.Figure:
    """Size of every layer, the largest first, and the ratio that each sampler's plan of the table removes from it."""
    chosen = {
        sampler: plan for sampler, plan in best_of_samplers(comparison).items() if plan is not None and plan.plan.ratios
    }
    names = [layer.name for layer in comparison.layers]
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.02, column_widths=[0.4, 0.6],
        subplot_titles=("parameters", "ratio removed by the plan of each sampler in the table"),
    )  # fmt: skip
    figure.add_trace(
        go.Bar(
            x=[layer.parameters for layer in comparison.layers],
            y=names,
            orientation="h",
            marker={"color": _GREY},
            text=[f"{layer.parameters:,} ({layer.share:.1%})" for layer in comparison.layers],
            textposition="auto",
            showlegend=False,
            hovertemplate="%{y}: %{x:,} parameters<extra></extra>",
        ),
        row=1,
        col=1,
    )
    if chosen:
        ratios = [[plan.plan.ratios.get(name, 0.0) for plan in chosen.values()] for name in names]
        figure.add_trace(_heatmap(list(chosen), names, ratios, "Oranges", "ratio", "{:.2f}"), row=1, col=2)
    figure.update_yaxes(autorange="reversed")
    return _finish(figure, 140 + 26 * len(names))


def best_of_samplers(comparison: Comparison) -> dict[str, ReportedPlan | None]:
    """Every sampler's best plan, of all its seeds; where none keeps the limits, its nearest."""
    return {
        sampler: best_plan(study.best for study in studies) or nearest_plan(study.nearest for study in studies)
        for sampler, studies in comparison.samplers.items()
    }


def robustness(measured: Robustness) -> go.Figure:
    """Accuracy with one layer pruned, layer by rate."""
    rates = sorted({rate for row in measured.layers.values() for rate in row})
    names = list(measured.layers)
    values = [[100 * row[r] if (r in row) else None for r in rates] for row in measured.layers.values()]
    heatmap = _heatmap([f"{rate:g}" for rate in rates], names, values, "RdYlGn", "accuracy (%)", "{:.1f}")
    heatmap.text = [
        [f"~{text}" if (name, rate) in measured.estimated else text for rate, text in zip(rates, row, strict=True)]
        for name, row in zip(names, heatmap.text, strict=True)
    ]
    figure = go.Figure(heatmap)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="ratio of the layer's channels removed", type="category")
    return _finish(figure, 140 + 26 * len(names))


def _heatmap(
    columns: list[str], rows: list[str], values: list[list[float | None]] | list[list[float]], scale: str, title: str,
    form: str,
) -> go.Heatmap:  # fmt: skip
    return go.Heatmap(
        x=columns,
        y=rows,
        z=values,
        text=[["" if value is None else form.format(value) for value in row] for row in values],
        texttemplate="%{text}",
        colorscale=scale,
        colorbar={"title": title, "thickness": 12},
        xgap=1,
        ygap=1,
        hovertemplate="%{y}<br>%{x}: %{text}<extra></extra>",
    )


def _finish(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 60, "r": 20, "t": 70, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    return figure
