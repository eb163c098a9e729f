"""How well latencies are predicted: what a table says of plans that it was not made from, and what their exports take.

For each model a table is measured, or found where this machine keeps them (see docs/measures.md). Then random plans,
light, middling and strong ones in turn, every fourth in multiples of 8, are pruned, exported for real, and timed in
ONNX Runtime on one thread, one image at a time. All exports run in turn, five times in a row each, so that a
disturbance of the machine meets all; of each the least time counts, as of the table's entries: what an undisturbed core
takes. The last columns tell what a plan gains: the part of the unpruned model's time that it takes.

    python benchmarks/latency.py [--quick] [--json FILE] [--models demo,spikformer,qkformer] [--exports DIR]
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from kept import machine
from torch import nn

from primesvt.models import config_of, export_onnx, load_model
from primesvt.pruning import PruningPlan, prunable_layers, prune
from primesvt.pruning.latency import LatencyTable, Stopwatch, in_turn, table_for

MODELS = {name: f"{Path(__file__).parent}/models/{name}" for name in ("spikformer", "qkformer")} | {"demo": "demo"}
# The largest ratio of a layer, of light, middling and strong plans.
STRENGTHS = (0.3, 0.6, 0.95)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="demo,spikformer")
    parser.add_argument("--plans", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=60, help="turns of every export, of five runs each")
    parser.add_argument("--quick", action="store_true", help="three plans, few rounds")
    parser.add_argument("--exports", type=Path, help="keep exported files here, and take those that are there")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.quick:
        args.plans, args.rounds = 3, 5
    result: dict[str, Any] = {"machine": machine(), "models": {}}
    for name in args.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            result["models"][name] = measured(name, args.exports or Path(folder), args.plans, args.rounds)
        show(name, result["models"][name])
        if args.json is not None:
            args.json.write_text(json.dumps(result, indent=1) + "\n")


def plans_of(model: nn.Module, count: int) -> list[PruningPlan]:
    """Random plans of a model, the same every time."""
    rng, plans = np.random.default_rng(0), []
    names = [layer.name for layer in prunable_layers(model)]
    for number in range(count):
        most = STRENGTHS[number % len(STRENGTHS)]
        drawn = {name: round(float(rng.uniform(0, most)), 2) for name in names if rng.random() < 0.8}
        ratios = {name: ratio for name, ratio in drawn.items() if ratio > 0}
        plans.append(PruningPlan(ratios, multiple=8 if number % 4 == 3 else 1))
    return plans


def measured(name: str, exports: Path, count: int, rounds: int) -> dict[str, Any]:
    """The unpruned model and its plans: milliseconds, predicted and measured."""
    model = load_model(MODELS[name])
    table: LatencyTable = table_for(config_of(model))
    files, predicted = [], []
    for number, plan in enumerate([PruningPlan(), *plans_of(model, count)]):
        pruned = prune(model, plan)
        file = exports / f"{name}-{number}.onnx"
        if not file.exists():
            export_onnx(pruned, file, batch=1)
        files.append(file.read_bytes())
        predicted.append(table.milliseconds(config_of(pruned).widths))
    taken = in_turn([Stopwatch(file) for file in files], rounds)
    return {"table": table.machine, "fitted_error": table.error, "predicted": predicted, "measured": taken}


def show(name: str, found: dict[str, Any]) -> None:
    """Print what a model gave."""
    told, taken = np.array(found["predicted"]), np.array(found["measured"])
    errors = told / taken - 1
    print(f"\n{name} on {found['table']}")
    print("plan      predicted ms  measured ms   error    of the unpruned: predicted  measured")
    for number, (one, other, error) in enumerate(zip(told, taken, errors, strict=True)):
        label = "unpruned" if number == 0 else f"{number}"
        shares = f"{one / told[0]:25.1%} {other / taken[0]:9.1%}"
        print(f"{label:8} {one:13.3f} {other:12.3f} {error:+8.1%} {shares}")
    plans = np.abs(errors[1:])
    print(
        f"{len(plans)} plans: mean error {plans.mean():.1%}, median {np.median(plans):.1%}, largest {plans.max():.1%}"
    )


if __name__ == "__main__":
    main()
