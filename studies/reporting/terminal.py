"""A comparison for the terminal."""

from .cells import MeasuredCells, PlanCells
from .chosen import best_of_samplers
from .comparison import Comparison
from .device import device_table, rounded_note
from .evidence import gains_table, sampler_table
from .finetuned import tuned_table
from .tables import table
from .verdict import verdict, words


def comparison_text(comparison: Comparison) -> str:
    """What came out, the samplers and their plans."""
    said = words(comparison)
    first = len(verdict(comparison).sentences)
    parts = ["\n".join(said[:first]), table(*sampler_table(comparison)), _plans(comparison)]
    parts += device_parts(comparison)
    if comparison.gains:
        parts.append(table(*gains_table(comparison)))
    if rest := "\n".join(f"- {sentence}" for sentence in said[first:]):
        parts.append(rest)
    if comparison.finetuned:
        parts.append(tuned_table(comparison))
    return "\n\n".join(parts) + "\n"


def device_parts(comparison: Comparison) -> list[str]:
    """What a device feels of the chosen plan, where that was measured: a table, and what multiples are worth."""
    if comparison.device is None:
        return []
    return [table(*device_table(*comparison.device)), *filter(None, [rounded_note(comparison.device[1])])]


def _plans(comparison: Comparison) -> str:
    """The unpruned model, and every sampler's best plan."""
    header = ["plan of", "limits kept", "bytes", "saved", "test accuracy", "points lost", "95 % interval"]
    rows = [["unpruned", "", f"{comparison.bytes:,}", "", MeasuredCells(comparison.test_baseline).accuracy, "", ""]]
    for sampler, plan in best_of_samplers(comparison).items():
        if plan is not None:
            cells = PlanCells.of(comparison, plan)
            rows.append([sampler, cells.kept, *cells.size, cells.accuracy, cells.lost, cells.lost_interval])
    return table(header, rows)
