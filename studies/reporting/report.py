"""A comparison as a page that opens offline."""

import html
import re
from dataclasses import replace

from primesvt.pruning import OperationEnergy, Robustness

from . import figures
from .cells import PlanCells
from .chosen import best_of_samplers, stopped_early
from .comparison import Comparison
from .device import device_table, rounded_note
from .evidence import claims_table, gains_table, sampler_table
from .page import bullets, figure_part, heading, html_table, note, page
from .picker import picker
from .provenance import Provenance
from .verdict import other_limits, verdict, words

# Where fine-tuned models lie in the directory of a comparison.
FINETUNED = "finetuned"
NO_BREAK = "\u00a0"


def report_page(comparison: Comparison, provenance: Provenance | None = None) -> str:
    """The page.

    Args:
        comparison: What was measured.
        provenance: Where it comes from; without it the page has no commands.
    """
    parts = [
        *_head(comparison),
        *_samplers(comparison),
        *_fronts(comparison),
        *_further(comparison),
        *_plans(comparison, provenance),
        *_effort(comparison),
        heading("Layers, the largest first, and what each sampler's plan of the table removes"),
        note("Ratio of a layer's channels that is removed; beside the name, the layer's share of the parameters."),
        figure_part(figures.layers(comparison), "layers"),
        *_robustness(comparison),
        *_claims(comparison),
        *_provenance(comparison, provenance),
    ]
    return page("PrimeSVT: comparison", parts)


def robustness_page(robustness: Robustness) -> str:
    """A page with the heatmap alone."""
    parts = ["<h1>Robustness</h1>", _robustness_note(robustness, None), _robustness_figure(robustness, None)]
    return page("PrimeSVT: robustness", parts)


def _head(comparison: Comparison) -> list[str]:
    """What was compared, and three sentences on what came out."""
    limits, said = comparison.constraints, verdict(comparison)
    margin = f", less a margin of {limits.margin:g} in the search" if limits.margin else ""
    # An option is not to be broken after its dashes.
    told = (re.sub(r"--[a-z-]+", r"<code>\g<0></code>", html.escape(sentence)) for sentence in said.sentences)
    sentences = "".join(f"<p>{sentence}</p>" for sentence in told)
    return [
        "<h1>PrimeSVT: memory saved against accuracy</h1>",
        note(
            f"{comparison.family}, {comparison.parameters:,} parameters, {comparison.bytes:,} bytes; "
            f"{comparison.data}; limits: at most {limits.max_drop:g} points of accuracy lost{margin}, "
            f"at least {limits.min_saving:.2%} of the bytes saved{other_limits(limits)}"
        ),
        f'<div class="verdict{" alarm" if said.alarm else ""}" role="status">{sentences}</div>',
    ]


def _samplers(comparison: Comparison) -> list[str]:
    header, rows = sampler_table(comparison)
    winner = comparison.winner
    chosen = next(
        (name for name, plan in best_of_samplers(comparison).items() if winner is not None and plan == winner), None
    )
    rest = words(comparison)[len(verdict(comparison).sentences) :]
    return [
        heading("Samplers"),
        note("The first plan within the limits costs what all studies spent over how many of them found one."),
        html_table(header, rows, marked=[row[0] == chosen for row in rows], words=(0, 1)),
        bullets(rest),
    ]


def _fronts(comparison: Comparison) -> list[str]:
    return [
        heading("Pareto fronts on the test set"),
        note(
            "Lines: what half of a sampler's studies attain; bands: between one and three quarters of them, or from "
            "what one attains to what all attain where there are fewer than four. Large markers: the plans of the "
            "table, with 95 % intervals. Filled: keeps the limits on the selection set. Shaded: outside the limits. "
            "A triangle at the lower edge is a plan far below it; a double click shows everything."
        ),
        figure_part(figures.fronts(comparison, test=True), "fronts-test"),
        heading("Pareto fronts on the selection set"),
        note(
            "What the searches saw. Small dots are all trials; where one is open, the plan was rejected after a part "
            "of the images, and its accuracy is an estimate from those. The test set chooses nothing."
        ),
        figure_part(figures.fronts(comparison, test=False), "fronts-selection"),
    ]


def _further(comparison: Comparison) -> list[str]:
    parts = []
    for objective in comparison.further:
        parts += [
            heading(f"Memory saved against {objective.label}"),
            note(
                "All plans within the limits, as the searches saw them, and the front of each sampler: less is better."
            ),
            figure_part(figures.further(comparison, objective), f"further-{objective.name}"),
        ]
    return parts


def _device(comparison: Comparison) -> list[str]:
    if comparison.device is None:
        return []
    return [
        heading("What a device feels of the plan that is put forward"),
        note(
            f"Spikes counted on {comparison.device[0].images:,} test images. A synaptic operation is an addition that "
            f"a spike causes; energy takes {OperationEnergy().text} (45 nm), and no memory."
        ),
        html_table(*device_table(*comparison.device), words=(0,)),
        *map(note, filter(None, [rounded_note(comparison.device[1])])),
    ]


def _plans(comparison: Comparison, provenance: Provenance | None) -> list[str]:
    """The plans of the table in detail, and from a size to a plan."""
    chosen = comparison.winner is not None
    return [
        heading("The plans chosen" if chosen else "The plans that miss the limits least"),
        note(
            "Chosen on the selection set; the test set was looked at once, for the plans shown here. "
            "In brackets: 95 % intervals, of the drop by the paired difference on the same images."
        ),
        plans_table(comparison),
        *_device(comparison),
        *_gains(comparison),
        heading("From a size to a plan"),
        note("Of the plans on the common front of all samplers that fit, the most accurate on the selection set."),
        picker(comparison, provenance),
    ]


def _gains(comparison: Comparison) -> list[str]:
    if not comparison.gains:
        return []
    return [
        heading("What repair adds to the plan that is put forward"),
        html_table(*gains_table(comparison), words=(0,)),
    ]


def _effort(comparison: Comparison) -> list[str]:
    return [
        heading("What it cost to find them"),
        note(
            "Above: the best plan within the limits so far; nothing is drawn where there is none. Middle: by how many "
            "points, of accuracy and of memory together, the nearest plan misses the limits. Below: hypervolume within "
            "the limits. A plan taken over from another study counts with what it cost there."
        ),
        figure_part(figures.effort(comparison), "effort"),
    ]


def _robustness(comparison: Comparison) -> list[str]:
    measured, limit = comparison.robustness, comparison.constraints.max_drop
    if measured is None:
        return [
            heading("Robustness"),
            note("Not measured: add the sampler prioritized, or run primesvt robustness."),
        ]
    return [heading("Robustness"), _robustness_note(measured, limit), _robustness_figure(measured, limit)]


def _robustness_note(robustness: Robustness, limit: float | None) -> str:
    estimated = " With ~: estimated, as measuring stopped when the limit was missed." if robustness.estimated else ""
    line = "" if limit is None else " The red line is where the limit of accuracy is crossed."
    return note(
        "Points of accuracy lost on the selection set with one layer pruned; the unpruned model has "
        f"{robustness.accuracy:.2%}. The largest layer is on top.{line}{estimated}"
    )


def _robustness_figure(robustness: Robustness, limit: float | None) -> str:
    return figure_part(figures.robustness(robustness, limit), "robustness")


def _claims(comparison: Comparison) -> list[str]:
    header, rows = claims_table(comparison)
    if not rows:
        return []
    return [
        heading("Which lead is more than noise"),
        "<details><summary>Every claim, with what it rests on</summary>",
        note(
            "In square brackets: 95 % intervals by the bootstrap. p among all: corrected by Holm's method for every "
            "claim of this report."
        ),
        html_table(header, rows, words=(0, 1, 2, len(header) - 1)),
        "</details>",
    ]


def _provenance(comparison: Comparison, provenance: Provenance | None) -> list[str]:
    if provenance is None:
        return []
    return [
        heading("Where this comes from"),
        html_table(["what", "value"], provenance.rows(comparison), words=(0, 1)),
        '<p class="note">Beside this page: every trial in <a href="trials.csv">trials.csv</a>, all numbers in '
        '<a href="summary.json">summary.json</a>. The camera of a figure saves it as SVG.</p>',
    ]


def plans_table(comparison: Comparison) -> str:
    """Every sampler's best plan beside the unpruned model, as an HTML table."""
    header = [
        "plan of", "limits kept", "bytes", "saved", "points lost on test", "test accuracy (%)", "in the search",
        "trial",
    ]  # fmt: skip
    base, unpruned = comparison.baseline, comparison.test_baseline
    rows = [
        [
            "unpruned", "", f"{comparison.bytes:,}", "", "", _accuracy(unpruned.accuracy, unpruned.interval),
            f"{100 * base.accuracy:.2f}", "",
        ]
    ]  # fmt: skip
    marked = [False]
    for sampler, plan in best_of_samplers(comparison).items():
        if plan is None:
            continue
        cells = PlanCells.of(comparison, plan)
        searched = f"{100 * plan.selection.accuracy:.2f} ({plan.drop:.2f} lost{stopped_early(plan)})"
        rows.append([sampler, cells.kept, *cells.size, *_on_test(cells), searched, cells.place])
        marked.append(plan == comparison.winner)
        if (tuned := comparison.finetuned.get(plan.study)) is not None:
            cells = replace(cells, test=tuned)
            where = f"{FINETUNED}/{plan.study}"
            rows.append(["the same, fine-tuned", "", *cells.size, *_on_test(cells), "", where])
            marked.append(False)
    return html_table(header, rows, marked=marked, words=(0, 1))


def _on_test(cells: PlanCells) -> tuple[str, str]:
    """Points lost and accuracy; an interval is not to be broken."""
    lost = f"{cells.lost} {cells.lost_interval.replace(' ', NO_BREAK)}"
    return lost, _accuracy(cells.test.accuracy, cells.test.interval)


def _accuracy(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:.2f} [{100 * interval[0]:.2f},{NO_BREAK}{100 * interval[1]:.2f}]"
