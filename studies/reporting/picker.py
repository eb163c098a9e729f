"""From a size in bytes to a plan, and to the command that makes its model."""

import html
import json

from .cells import PlanCells
from .chosen import best_trade_offs, limits_kept
from .comparison import Comparison, ReportedPlan
from .page import html_table, note
from .provenance import Provenance

# Of the plans that fit, the one that is most accurate on the selection set.
_SCRIPT = """
(() => {
  const plans = JSON.parse(document.getElementById("plans").textContent);
  const [size, slider] = ["size", "slider"].map(id => document.getElementById(id));
  const say = (id, text) => { document.getElementById(id).textContent = text; };
  const show = bytes => {
    const fitting = plans.filter(plan => plan.bytes <= bytes);
    const best = fitting.reduce((a, b) => (a && a.accuracy >= b.accuracy ? a : b), null);
    const least = plans[0].bytes.toLocaleString();
    say("picked", best ? best.text : `No plan here is that small; the smallest has ${least} bytes.`);
    say("picked-command", best ? best.command : "");
  };
  size.oninput = () => { slider.value = size.value; show(+size.value); };
  slider.oninput = () => { size.value = slider.value; show(+slider.value); };
  show(+size.value);
})();
""".strip()


def picker(comparison: Comparison, provenance: Provenance | None) -> str:
    """A size to type or slide to, the plan that fits, and all plans to choose from as a table.

    Args:
        comparison: The comparison.
        provenance: Names the model and the storage; without it there are no commands.
    """
    plans = best_trade_offs(comparison)
    if not plans:
        return ""
    winner = comparison.winner or plans[-1]
    known = json.dumps([_data(comparison, plan, provenance) for plan in plans]).replace("<", "\\u003c")
    sizes = f'min="{plans[0].selection.bytes}" max="{comparison.bytes}"'
    return (
        '<div class="picker"><label for="size">My device has room for </label>'
        f'<input id="size" type="number" {sizes} value="{winner.selection.bytes}"> bytes'
        f'<input id="slider" type="range" {sizes} value="{winner.selection.bytes}" aria-label="bytes">'
        '<p id="picked"></p><code class="command" id="picked-command"></code></div>'
        f'<script type="application/json" id="plans">{known}</script>\n<script>\n{_SCRIPT}\n</script>\n'
        + _table(comparison, plans, provenance)
    )


def _table(comparison: Comparison, plans: list[ReportedPlan], provenance: Provenance | None) -> str:
    header = ["plan", "bytes", "saved", "lost in the search", "test accuracy (95 % interval)", "limits kept"]
    rows = [
        [c.place, *c.size, f"{c.plan.drop:.2f}", f"{c.accuracy} ({c.accuracy_interval})", c.kept]
        for c in (PlanCells.of(comparison, plan) for plan in plans)
    ]
    table = html_table(header, rows, marked=[plan == comparison.winner for plan in plans], words=(0, 5))
    if provenance is None:
        return table
    command = f'<code class="command">{html.escape(provenance.prune_command(plans[0]))}</code>'
    return f"{table}{note('The model of the first row; of another one with its study and trial:')}{command}"


def _data(comparison: Comparison, plan: ReportedPlan, provenance: Provenance | None) -> dict[str, object]:
    low, high = plan.test.drop_interval
    return {
        "bytes": plan.selection.bytes,
        "accuracy": plan.selection.accuracy,
        "text": (
            f"{plan.study}, trial {plan.trial}: {plan.selection.bytes:,} bytes, {plan.selection.memory_saving:.2%} "
            f"saved; {plan.test.drop:.2f} points lost on test ({low:.2f} to {high:.2f}); limits kept: "
            f"{limits_kept(comparison, plan)}."
        ),
        "command": "" if provenance is None else provenance.prune_command(plan),
    }
