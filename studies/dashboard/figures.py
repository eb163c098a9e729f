"""Figures of one study, small enough to be kept in its storage."""

import plotly.graph_objects as go

from primesvt.search import accuracy_of, decided_early, is_feasible, ratios_of, saving_of

from ..reporting.figures.style import GREY, LIMIT
from .inspected import Inspected

_KEPT = "#0072B2"


def front(inspected: Inspected) -> go.Figure:
    """Saving and points lost of every trial, with the limits; filled where they are kept."""
    limits = inspected.settings.constraints
    figure = go.Figure()
    for name, keeps in (("limits kept", True), ("limits missed", False)):
        trials = [trial for trial in inspected.finished if is_feasible(trial) == keeps]
        figure.add_trace(
            go.Scatter(
                x=[round(100 * saving_of(trial), 3) for trial in trials],
                y=[round(trial.user_attrs["accuracy_drop"], 3) for trial in trials],
                mode="markers",
                name=name,
                text=[f"trial {t.number}{', stopped early' if decided_early(t) else ''}" for t in trials],
                marker={"color": _KEPT if keeps else GREY, "size": 9, "symbol": "circle" if keeps else "circle-open"},
                hovertemplate="%{text}<br>%{x:.2f} % saved, %{y:.2f} points lost<extra></extra>",
            )
        )
    line = {"color": LIMIT, "dash": "dash", "width": 1.5}
    figure.add_vline(100 * limits.min_saving, line=line, annotation_text="limit", annotation_font_color=LIMIT)
    figure.add_hline(limits.max_drop - limits.margin, line=line, annotation_text="limit", annotation_font_color=LIMIT)
    # Where many plans lose everything, those near the limit would be one line; a double click shows all.
    worst = 4 * max(limits.max_drop, 1.0)
    figure.update_layout(
        title={"text": "Trials and limits", "font": {"size": 15}},
        xaxis_title="memory saved (% of bytes)",
        yaxis={"title": "points of accuracy lost", "range": [worst, -0.15 * worst]},
        template="none",
    )
    return figure


def layers(inspected: Inspected) -> go.Figure | None:
    """The ratio that the best plan so far removes from every layer, the largest on top; None before there is one."""
    trial = inspected.shown
    if trial is None:
        return None
    ratios = ratios_of(trial)
    names = list(ratios)
    keeps = is_feasible(trial)
    title = f"Trial {trial.number}, {'the best so far' if keeps else 'the nearest so far: it misses the limits'}"
    figure = go.Figure(
        go.Bar(
            x=[ratios[name] for name in names],
            y=names,
            orientation="h",
            marker={"color": _KEPT if keeps else GREY},
            text=[f"{ratios[name]:.2f}" for name in names],
            textposition="auto",
            hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        )
    )
    saved, accuracy = saving_of(trial), accuracy_of(trial)
    figure.update_layout(
        title={"text": f"{title}<br><sup>{saved:.2%} saved, accuracy {accuracy:.2%}</sup>", "font": {"size": 15}},
        xaxis={"title": "ratio removed", "range": [0, 1]},
        yaxis={"autorange": "reversed", "automargin": True},
        height=150 + 22 * len(names),
        template="none",
    )
    return figure


def robustness(inspected: Inspected) -> go.Figure | None:
    """Points lost with one layer pruned alone, a curve a layer, of the trials that tried that; None without any."""
    curves: dict[str, dict[float, float]] = {}
    for trial in inspected.finished:
        pruned = {layer: ratio for layer, ratio in ratios_of(trial).items() if ratio}
        if len(pruned) == 1:
            ((layer, ratio),) = pruned.items()
            curves.setdefault(layer, {})[ratio] = trial.user_attrs["accuracy_drop"]
    if not curves:
        return None
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, *sorted(curve)], y=[0, *(round(curve[ratio], 3) for ratio in sorted(curve))], name=layer,
                mode="lines+markers", hovertemplate=f"{layer}, %{{x:.2f}}: %{{y:.2f}} points lost<extra></extra>",
            )
            for layer, curve in curves.items()
        ]
    )  # fmt: skip
    most = inspected.settings.constraints.max_drop
    figure.add_hline(most, line={"color": LIMIT, "dash": "dash"}, annotation_text="limit")
    figure.update_layout(
        title={"text": "One layer pruned alone", "font": {"size": 15}},
        xaxis={"title": "ratio removed", "range": [0, 1]},
        yaxis={"title": "points of accuracy lost", "range": [4 * max(most, 1.0), -0.5]},
        template="none",
    )
    return figure
