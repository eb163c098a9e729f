"""A comparison as a page that opens offline."""

import html
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from primesvt.pruning import Robustness

from . import figures
from .comparison import Comparison, ReportedPlan
from .verdict import verdict, words

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1160px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
p.note { color: #5b6572; margin: .2rem 0 .6rem; } ul { padding-left: 1.2rem; } li { margin: .25rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid #dfe3e8; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tr.chosen { background: #fff6df; font-weight: 600; }
.alarm { border-left: 4px solid #c0392b; background: #fdf0ee; padding: .6rem 1rem; }
""".strip()


def report_page(comparison: Comparison) -> str:
    """The page."""
    chosen = comparison.winner is not None
    parts = [
        *_head(comparison),
        "<h2>The plans chosen</h2>" if chosen else "<h2>The plans that miss the limits least</h2>",
        _note(
            "Chosen on the selection set; the test set was looked at once, for the plans shown here. "
            "In brackets: 95 % intervals, of the drop by the paired difference on the same images."
        ),
        plans_table(comparison),
        *_fronts(comparison),
        "<h2>Hypervolume against effort</h2>",
        _note(
            "Above: plans within the limits, measured from their corner; below: all plans that were measured in full, "
            "measured from (0, 0). A plan taken over from another study counts with what it cost there."
        ),
        _figure(figures.hypervolume(comparison)),
        "<h2>Layers, the largest first, and what each sampler removed</h2>",
        _figure(figures.layers(comparison)),
        "<h2>Robustness</h2>",
    ]
    if comparison.robustness is None:
        parts.append(_note("Not measured: add the sampler prioritized, or run primesvt robustness."))
    else:
        parts += [_robustness_note(comparison.robustness), _figure(figures.robustness(comparison.robustness))]
    return _page("PrimeSVT: comparison", parts)


def _head(comparison: Comparison) -> list[str]:
    """What was compared, and what came out, in words."""
    limits = comparison.constraints
    margin = f", less a margin of {limits.margin:g} in the search" if limits.margin else ""
    return [
        "<h1>PrimeSVT: memory saved against accuracy</h1>",
        _note(
            f"{comparison.family}, {comparison.parameters:,} parameters, {comparison.bytes:,} bytes; "
            f"{comparison.data}; limits: at most {limits.max_drop:g} points of accuracy lost{margin}, "
            f"at least {limits.min_saving:.2%} of the bytes saved"
        ),
        _words(words(comparison), alarm=verdict(comparison).alarm),
    ]


def _fronts(comparison: Comparison) -> list[str]:
    return [
        "<h2>Pareto fronts on the test set</h2>",
        _note("Filled: keeps the limits on the selection set. Shaded: outside the limits. Bars: 95 % intervals."),
        _figure(figures.fronts(comparison, test=True)),
        "<h2>Pareto fronts on the selection set</h2>",
        _note(
            "What the searches saw. Small dots are all trials; where one is open, the plan was rejected after a part "
            "of the images, and its accuracy is that on those."
        ),
        _figure(figures.fronts(comparison, test=False)),
    ]


def robustness_page(robustness: Robustness) -> str:
    """A page with the heatmap alone."""
    parts = ["<h1>Robustness</h1>", _robustness_note(robustness), _figure(figures.robustness(robustness))]
    return _page("PrimeSVT: robustness", parts)


def plans_table(comparison: Comparison) -> str:
    """Every sampler's best plan beside the unpruned model, as an HTML table."""
    header = (
        "plan", "trial", "bytes", "saved", "test accuracy (%)", "points lost on test", "in the search", "limits kept",
    )  # fmt: skip
    base, unpruned = comparison.baseline, comparison.test_baseline
    rows = [
        (
            "unpruned", "", f"{comparison.bytes:,}", "", _accuracy(unpruned.accuracy, unpruned.interval), "",
            f"{100 * base.accuracy:.2f}", "",
        )
    ]  # fmt: skip
    chosen = [False]
    for sampler, plan in figures.best_of_samplers(comparison).items():
        if plan is None:
            continue
        low, high = plan.test.drop_interval
        rows.append(
            (
                sampler,
                f"{plan.study} #{plan.trial}",
                f"{plan.selection.bytes:,}",
                f"{plan.selection.memory_saving:.2%}",
                _accuracy(plan.test.accuracy, plan.test.interval),
                f"{plan.test.drop:.2f} [{low:.2f}, {high:.2f}]",
                f"{100 * plan.selection.accuracy:.2f} ({plan.drop:.2f} lost{stopped_early(plan)})",
                limits_kept(comparison, plan),
            )
        )
        chosen.append(plan == comparison.winner)
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        ('<tr class="chosen">' if mark else "<tr>") + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row, mark in zip(rows, chosen, strict=True)
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def limits_kept(comparison: Comparison, plan: ReportedPlan) -> str:
    """On which sets a plan keeps the limits that the user set, in a word."""
    limits = comparison.constraints.without_margin()
    on_test = limits.kept(drop=plan.test.drop, saving=plan.selection.memory_saving, measures=plan.selection.measures)
    return {
        (True, True): "yes",
        (True, False): "in the search, not on test",
        (False, True): "on test, not in the search",
        (False, False): "no",
    }[(plan.feasible, on_test)]


def stopped_early(plan: ReportedPlan) -> str:
    """After how many images the search stopped measuring a plan; nothing where it did not."""
    return f", stopped after {plan.selection.images:,} images" if plan.selection.decided_early else ""


def _accuracy(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:.2f} [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]"


def _note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'


def _robustness_note(robustness: Robustness) -> str:
    estimated = " With ~: estimated, as measuring stopped when the limit was missed." if robustness.estimated else ""
    return _note(
        "Accuracy on the selection set with one layer pruned, in per cent; the unpruned model has "
        f"{robustness.accuracy:.2%}. The largest layer is on top.{estimated}"
    )


def _words(sentences: Sequence[str], *, alarm: bool) -> str:
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    kind = "alarm" if alarm else "words"
    return f'<div class="{kind}"><ul>{items}</ul></div>'


def _figure(figure: go.Figure) -> str:
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True}
    )
    return text


def _page(title: str, parts: Sequence[str]) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{_STYLE}\n</style>\n<script>{get_plotlyjs()}</script>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
