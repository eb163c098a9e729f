"""What the plans of the table remove, side by side."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..chosen import best_of_samplers
from ..comparison import Comparison
from .style import finish_rows, heatmap


def layers(comparison: Comparison) -> go.Figure:
    """The ratio that each sampler's plan of the table removes from every layer, the largest layer on top.

    A layer's name has its share of the parameters beside it.
    """
    chosen = {
        sampler: plan.plan.ratios for sampler, plan in best_of_samplers(comparison).items() if plan and plan.plan.ratios
    }
    labels = [f"{layer.name} · {layer.share:.1%}" for layer in comparison.layers]
    ratios = [[own.get(layer.name, 0.0) for own in chosen.values()] for layer in comparison.layers]
    texts = [[f"{ratio:.2f}" if ratio else "-" for ratio in row] for row in ratios]
    figure = go.Figure(
        heatmap(
            _short([*chosen]),
            labels,
            ratios,
            texts,
            colorscale="Blues",
            zmin=0,
            zmax=1,
            showscale=False,
        )
    )
    figure.update_xaxes(side="top", type="category")
    # The names of the columns stay clear of the buttons.
    return finish_rows(figure, len(labels)).update_layout(margin={"t": 75})


def _short(samplers: Sequence[str]) -> list[str]:
    """Names for narrow columns: a sampler's settings only where others have the same name, and below it."""
    names = [sampler.partition(" (")[0] for sampler in samplers]
    return [
        name if names.count(name) == 1 else sampler.replace(" (", "<br>(").replace("; ", ";<br>")
        for name, sampler in zip(names, samplers, strict=True)
    ]
