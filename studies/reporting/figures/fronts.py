"""Memory saved against accuracy: fronts over seeds as bands, every plan, every trial, and the limits."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from ..chosen import best_of_samplers, limits_kept
from ..comparison import Comparison, ReportedPlan, StudyResult
from ..pareto import Point
from ..standings import attained
from .style import GREY, LIMIT, SYMBOLS, colours, faint, finish

# With fewer studies, quartiles say nothing: the band then goes from what one attains to what all attain.
_FOR_QUARTILES = 4


def fronts(comparison: Comparison, *, test: bool) -> go.Figure:
    """Fronts of all samplers on the test or the selection set.

    A line is what half of a sampler's studies attain, a band what lies between one and three quarters of them. Every
    plan that was measured on the test set is a marker, filled where it keeps the limits on the selection set; the
    sampler's plan of the table has the interval of its accuracy. Plans of the table that lie below the chart stand at
    its lower edge.
    """
    figure = go.Figure()
    window = _Window(comparison, test=test)
    _add_limits(figure, window)
    base = window.unpruned
    figure.add_trace(
        go.Scatter(
            x=[0], y=[base], mode="markers", name="unpruned", marker={"symbol": "star", "size": 13, "color": GREY},
            hovertemplate=f"unpruned: {base:.2f} %<extra></extra>",
        )
    )  # fmt: skip
    palette, chosen = colours(comparison), best_of_samplers(comparison)
    for i, (sampler, studies) in enumerate(comparison.samplers.items()):
        colour, symbol = palette[sampler], SYMBOLS[i % len(SYMBOLS)]
        if not test:
            _add_cloud(figure, comparison, sampler, colour)
        _add_band(figure, studies, colour, test=test)
        _add_plans(figure, window, sampler, colour, symbol)
        plan = chosen[sampler]
        if plan is not None:
            _add_chosen(figure, window, sampler, plan, colour, symbol)
    winner = comparison.winner
    if winner is not None:
        _add_ring(figure, window, winner)
    figure.update_xaxes(title="memory saved (% of bytes)", range=[-1, window.right], zeroline=False)
    figure.update_yaxes(
        title=f"accuracy on the {'test' if test else 'selection'} set (%)", range=[window.bottom, window.top]
    )
    return finish(figure, 520)


class _Window:
    """What the chart shows at first, in per cent; a double click shows all.

    Args:
        comparison: The comparison.
        test: Whether of the test set, rather than of the selection set.
    """

    def __init__(self, comparison: Comparison, *, test: bool) -> None:
        self.comparison, self.test = comparison, test
        limits = comparison.constraints
        base = comparison.test_baseline if test else comparison.baseline
        self.unpruned = 100 * base.accuracy
        self.least = self.unpruned - limits.max_drop
        chosen = [plan for plan in best_of_samplers(comparison).values() if plan is not None]
        shown = [*chosen, *(plan for study in comparison.studies for plan in study.front)]
        self.right = max([100 * plan.selection.memory_saving for plan in shown] + [100 * limits.min_saving]) + 5
        # Far below the limit nobody looks.
        floor = self.least - 4 * max(limits.max_drop, 1)
        seen = [low for plan in shown if (low := 100 * self.interval(plan)[0]) >= floor]
        self.bottom = max(0.0, min([*seen, self.least]) - 1)
        self.top = 100 * max([base.interval[1], *(self.interval(plan)[1] for plan in shown)]) + 0.5

    def accuracy(self, plan: ReportedPlan) -> float:
        """Of a plan on the set, in per cent."""
        return 100 * (plan.test if self.test else plan.selection).accuracy

    def interval(self, plan: ReportedPlan) -> tuple[float, float]:
        """Of that accuracy, as fractions."""
        return (plan.test if self.test else plan.selection).interval

    def text(self, plan: ReportedPlan) -> str:
        """What a plan's marker says."""
        low, high = self.interval(plan)
        images = (plan.test if self.test else plan.selection).images
        lost = plan.test.drop if self.test else plan.drop
        largest = sorted(plan.plan.ratios.items(), key=lambda item: -item[1])[:4]
        most = ", ".join(f"{layer} {ratio:.0%}" for layer, ratio in largest)
        return (
            f"<b>{plan.study}, trial {plan.trial}</b><br>{plan.selection.memory_saving:.2%} saved, "
            f"{plan.selection.bytes:,} bytes<br>{self.accuracy(plan):.2f} % [{100 * low:.2f}, {100 * high:.2f}] on "
            f"{images:,} images, {lost:.2f} points lost<br>limits kept: {limits_kept(self.comparison, plan)}<br>"
            f"{len(plan.plan.ratios)} layers pruned, most: {most}"
        )


def _add_limits(figure: go.Figure, window: _Window) -> None:
    """Lines at the limits; what is outside of them is shaded, what the search's margin adds is dotted."""
    limits, least = window.comparison.constraints, window.least
    saved = 100 * limits.min_saving
    for x0, x1, y0, y1 in ((0, 100, 0, least), (0, saved, least, 100)):
        figure.add_shape(
            type="rect", x0=x0, x1=x1, y0=y0, y1=y1, fillcolor=LIMIT, opacity=0.07, line_width=0, layer="below"
        )
    line = {"color": LIMIT, "dash": "dash", "width": 1.5}
    figure.add_hline(least, line=line)
    figure.add_vline(saved, line=line)
    font = {"color": LIMIT, "size": 12}
    if limits.margin:
        figure.add_hline(least + limits.margin, line={**line, "dash": "dot"})
        figure.add_annotation(
            x=1, xref="paper", y=least + limits.margin, text=f"with the margin of {limits.margin:g}", showarrow=False,
            xanchor="right", yanchor="bottom", font=font,
        )  # fmt: skip
    figure.add_annotation(
        x=0, xref="paper", y=least, text=f"limit: {limits.max_drop:g} points lost", showarrow=False,
        xanchor="left", yanchor="top", font=font,
    )  # fmt: skip
    figure.add_annotation(
        x=saved, y=0, yref="paper", text=f"limit: {limits.min_saving:.2%} saved", showarrow=False,
        xanchor="left", yanchor="bottom", font=font,
    )  # fmt: skip


def _add_cloud(figure: go.Figure, comparison: Comparison, sampler: str, colour: str) -> None:
    studies = comparison.samplers[sampler]
    points = [point for study in studies for point in study.history.points]
    symbols = ["circle" if whole else "circle-open" for study in studies for whole in study.history.whole]
    figure.add_trace(
        go.Scatter(
            x=[100 * x for x, _ in points],
            y=[100 * y for _, y in points],
            mode="markers",
            marker={"color": colour, "size": 6, "opacity": 0.45, "symbol": symbols},
            name=f"{sampler}, every trial",
            legendgroup=sampler,
            showlegend=False,
            text=[text for study in studies for text in _trial_texts(study)],
            hovertemplate="%{text}<br>%{x:.2f} % saved, accuracy %{y:.2f} %<extra></extra>",
        )
    )


def _trial_texts(study: StudyResult) -> list[str]:
    history = study.history
    texts, before = [], 0
    for number, whole, feasible, images in zip(
        history.numbers, history.whole, history.feasible, history.images, strict=True
    ):
        stopped = "" if whole else f", stopped after {images - before:,} images"
        texts.append(f"{study.name}, trial {number}: limits {'kept' if feasible else 'missed'}{stopped}")
        before = images
    return texts


def _add_band(figure: go.Figure, studies: Sequence[StudyResult], colour: str, *, test: bool) -> None:
    outer, inner = (0.25, 0.75) if len(studies) >= _FOR_QUARTILES else (1 / len(studies), 1.0)
    high, low = (attained(studies, share, test=test)[::-1] for share in (outer, inner))
    if len(studies) > 1 and high and low:
        left = min(high[0][0], low[0][0])
        upper, lower = _steps(_until(high, low[-1][0]), left), _steps(low, left)
        figure.add_trace(
            go.Scatter(
                x=[100 * x for x, _ in (*upper, *reversed(lower))], y=[100 * y for _, y in (*upper, *reversed(lower))],
                fill="toself", fillcolor=faint(colour), line={"width": 0}, mode="lines", hoverinfo="skip",
                name=f"{studies[0].sampler}, band", legendgroup=studies[0].sampler, showlegend=False,
            )
        )  # fmt: skip
    median = attained(studies, 0.5, test=test)[::-1]
    figure.add_trace(
        go.Scatter(
            x=[100 * x for x, _ in median], y=[100 * y for _, y in median], mode="lines", hoverinfo="skip",
            line={"color": colour, "width": 2, "shape": "vh"}, name=f"{studies[0].sampler}, median",
            legendgroup=studies[0].sampler, showlegend=False,
        )
    )  # fmt: skip


def _until(corners: Sequence[Point], right: float) -> list[Point]:
    """A front, by saving from small to large, cut off at a saving that it reaches."""
    inside = [corner for corner in corners if corner[0] < right]
    return [*inside, (right, corners[len(inside)][1])]


def _steps(corners: Sequence[Point], left: float) -> list[Point]:
    """A front as the line that is drawn: up to a corner's saving its accuracy is attained."""
    steps = [(left, corners[0][1]), corners[0]]
    for (x, _), corner in pairwise(corners):
        steps += [(x, corner[1]), corner]
    return steps


def _add_plans(figure: go.Figure, window: _Window, sampler: str, colour: str, symbol: str) -> None:
    """All plans of a sampler that were measured on the test set. Its name is in the legend, whatever it found."""
    plans = [plan for study in window.comparison.samplers[sampler] for plan in study.front]
    nothing: list[Any] = [None]
    figure.add_trace(
        go.Scatter(
            x=[100 * plan.selection.memory_saving for plan in plans] or nothing,
            y=[window.accuracy(plan) for plan in plans] or nothing,
            mode="markers",
            marker={
                "color": [colour if plan.feasible else "white" for plan in plans] or colour,
                "line": {"color": colour, "width": 1.5},
                "symbol": symbol,
                "size": 8,
            },
            name=sampler,
            legendgroup=sampler,
            text=[window.text(plan) for plan in plans],
            hovertemplate="%{text}<extra></extra>",
        )
    )


def _add_chosen(figure: go.Figure, window: _Window, sampler: str, plan: ReportedPlan, colour: str, symbol: str) -> None:
    """A sampler's plan of the table, with its interval; at the lower edge where it lies below the chart."""
    accuracy, (low, high) = window.accuracy(plan), window.interval(plan)
    below = accuracy < window.bottom
    figure.add_trace(
        go.Scatter(
            x=[100 * plan.selection.memory_saving],
            y=[window.bottom if below else accuracy],
            error_y=None
            if below
            else {
                "type": "data", "symmetric": False, "array": [100 * high - accuracy],
                "arrayminus": [accuracy - 100 * low], "thickness": 1.5, "width": 5, "color": colour,
            },
            mode="markers",
            marker={
                "color": colour if plan.feasible else "white", "line": {"color": colour, "width": 2.5},
                "symbol": "triangle-down" if below else symbol, "size": 13,
            },
            cliponaxis=False,
            name=f"{sampler}, plan of the table",
            legendgroup=sampler,
            showlegend=False,
            text=[window.text(plan) + ("<br><b>below this chart</b>" if below else "")],
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip


def _add_ring(figure: go.Figure, window: _Window, winner: ReportedPlan) -> None:
    figure.add_trace(
        go.Scatter(
            x=[100 * winner.selection.memory_saving],
            y=[window.accuracy(winner)],
            mode="markers",
            name="chosen plan",
            marker={"symbol": "circle-open", "size": 22, "color": "#222", "line": {"width": 2}},
            hoverinfo="skip",
        )
    )
