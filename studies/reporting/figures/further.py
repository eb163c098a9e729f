"""Memory saved against a further objective: every plan within the limits, and the front of each sampler."""

import plotly.graph_objects as go

from primesvt.search import Quantity

from ..comparison import Comparison, StudyResult
from ..pareto import pareto_front
from .style import GREY, SYMBOLS, colours, finish


def further(comparison: Comparison, objective: Quantity) -> go.Figure:
    """The objective is the smaller the better, so a front is the lower right edge of its sampler's plans.

    Args:
        comparison: The comparison, whose studies have the objective.
        objective: Beside memory saving and accuracy.
    """
    figure, unit = go.Figure(), f" ({objective.unit})" if objective.unit else ""
    base = objective.scale * comparison.baseline.measures[objective.name]
    figure.add_trace(
        go.Scatter(
            x=[0], y=[base], mode="markers", name="unpruned", marker={"symbol": "star", "size": 13, "color": GREY},
            hovertemplate=f"unpruned: {objective.text(comparison.baseline.measures[objective.name])}<extra></extra>",
        )
    )  # fmt: skip
    palette = colours(comparison)
    for i, (sampler, studies) in enumerate(comparison.samplers.items()):
        points = [point for study in studies for point in _points(study, objective)]
        front = pareto_front([(x, -y) for x, y, _ in points])[::-1]
        for mode, shown in (("markers", points), ("lines", [points[j] for j in front])):
            figure.add_trace(
                go.Scatter(
                    x=[x for x, _, _ in shown],
                    y=[y for _, y, _ in shown],
                    text=[text for _, _, text in shown],
                    mode=mode,
                    line={"shape": "vh", "color": palette[sampler]},
                    marker={"color": palette[sampler], "symbol": SYMBOLS[i % len(SYMBOLS)], "size": 7},
                    name=sampler,
                    legendgroup=sampler,
                    showlegend=mode == "markers",
                    hovertemplate=f"%{{text}}<br>%{{x:.2f}} % saved, %{{y:,.{objective.digits}f}}<extra></extra>",
                )
            )
    figure.update_xaxes(title="memory saved (% of bytes)")
    figure.update_yaxes(title=f"{objective.label}{unit}")
    return finish(figure, 420)


def _points(study: StudyResult, objective: Quantity) -> list[tuple[float, float, str]]:
    """Per cent saved, the objective, and what is said, of every trial within the limits."""
    history = study.history
    values = history.measures.get(objective.name, ())
    trials = zip(history.numbers, history.points, history.feasible, values, strict=False)
    return [
        (100 * saved, objective.scale * value, f"{study.name}, trial {number}: accuracy {accuracy:.2%}")
        for number, (saved, accuracy), feasible, value in trials
        if feasible
    ]
