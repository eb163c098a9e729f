"""How well latencies are predicted: what a table says of plans that it was not made from, and what their exports take.

For each model a table is measured, or found where this machine keeps them (see docs/measures.md). Then random plans,
light, middling and strong ones in turn, every fourth in multiples of 8, are pruned, exported for real, and timed in
ONNX Runtime on one thread, one image at a time; and so are plans that remove attention, MLP, or both of some blocks,
alone and with channels of the other layers. All exports run in turn, five times in a row each, so that a disturbance of
the machine meets all; of each the least time counts, as of the table's entries: what an undisturbed core takes. The
last columns tell what a plan gains: the part of the unpruned model's time that it takes.

    python benchmarks/latency.py [--quick] [--json FILE] [--models demo,spikformer,qkformer] [--exports DIR]
"""

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from kept import machine
from torch import nn

from primesvt.models import config_of, export_onnx, load_model
from primesvt.pruning import PruningPlan, branches, prunable_layers, prune
from primesvt.pruning.latency import LatencyTable, Stopwatch, in_turn, table_for

MODELS = {name: f"{Path(__file__).parent}/models/{name}" for name in ("spikformer", "qkformer")} | {"demo": "demo"}
# The largest ratio of a layer, of light, middling and strong plans.
STRENGTHS = (0.3, 0.6, 0.95)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="demo,spikformer")
    parser.add_argument("--plans", type=int, default=12)
    parser.add_argument("--depth-plans", type=int, default=12, help="plans that remove branches of blocks")
    parser.add_argument("--rounds", type=int, default=60, help="turns of every export, of five runs each")
    parser.add_argument("--quick", action="store_true", help="three plans, few rounds")
    parser.add_argument("--exports", type=Path, help="keep exported files here, and take those that are there")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.quick:
        args.plans, args.depth_plans, args.rounds = 3, 2, 5
    result: dict[str, Any] = {"machine": machine(), "models": {}}
    for name in args.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            model = load_model(MODELS[name])
            plans = {str(number): plan for number, plan in enumerate(plans_of(model, args.plans), 1)}
            plans |= dict(itertools.islice(depth_plans(model), args.depth_plans))
            result["models"][name] = measured(name, model, plans, args.exports or Path(folder), args.rounds)
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


def depth_plans(model: nn.Module) -> Iterator[tuple[str, PruningPlan]]:
    """Plans that remove branches, by a name for each: alone first, then with channels of what stays."""
    rng, whole = np.random.default_rng(1), branches(model)
    mixers, mlps = ([name for name in whole if name.endswith(end)] for end in (".mixer", ".mlp"))
    for strength in (0.0, *STRENGTHS):
        block = str(rng.choice(mixers)).removesuffix(".mixer")
        some = list(rng.choice(list(whole), (len(whole) + 1) // 2, replace=False))
        for label, gone in (
            ("a mixer", [str(rng.choice(mixers))]),
            ("an MLP", [str(rng.choice(mlps))]),
            ("a block", [name for name in whole if name.startswith(f"{block}.")]),
            ("half of all", some),
        ):
            left = [layer.name for layer in prunable_layers(model)] if strength else []
            drawn = {name: round(float(rng.uniform(0, strength)), 2) for name in left}
            ratios = drawn | {layer: 1.0 for branch in gone for layer in whole[branch]}
            yield f"{label}, {strength:g}", PruningPlan(ratios)


def measured(
    name: str, model: nn.Module, plans: Mapping[str, PruningPlan], exports: Path, rounds: int
) -> dict[str, Any]:
    """The unpruned model and its plans: milliseconds, predicted and measured."""
    table: LatencyTable = table_for(config_of(model))
    files, predicted = [], []
    for label, plan in {"unpruned": PruningPlan(), **plans}.items():
        pruned = prune(model, plan)
        file = exports / f"{name}-{label.replace(', ', '-').replace(' ', '-')}.onnx"
        if not file.exists():
            export_onnx(pruned, file, batch=1)
        files.append(file.read_bytes())
        predicted.append(table.milliseconds(config_of(pruned).widths))
    taken = in_turn([Stopwatch(file) for file in files], rounds)
    told = {"labels": ["unpruned", *plans], "predicted": predicted, "measured": taken}
    return {"table": table.machine, "fitted_error": table.error, **told}


def show(name: str, found: dict[str, Any]) -> None:
    """Print what a model gave."""
    told, taken = np.array(found["predicted"]), np.array(found["measured"])
    errors, labels = told / taken - 1, found["labels"]
    print(f"\n{name} on {found['table']}")
    print("plan               predicted ms  measured ms   error    of the unpruned: predicted  measured")
    for label, one, other, error in zip(labels, told, taken, errors, strict=True):
        shares = f"{one / told[0]:25.1%} {other / taken[0]:9.1%}"
        print(f"{label:17} {one:13.3f} {other:12.3f} {error:+8.1%} {shares}")
    channels = np.array([label.isdigit() for label in labels])
    # What a time that is busier than the table's does to all of them alike is in the first, and not in the second.
    beside = (1 + errors) / (1 + errors[0]) - 1
    for kind, those in (
        ("plans of channels", channels),
        ("that remove branches", ~channels & (np.array(labels) != "unpruned")),
    ):
        if those.any():
            parts = f"as part of the unpruned model's time {_errors(beside[those])}"
            print(f"{those.sum()} {kind}: mean error {_errors(errors[those])}; {parts}")


def _errors(errors: np.ndarray) -> str:
    return f"{np.abs(errors).mean():.1%} ({errors.mean():+.1%} with its sign), largest {np.abs(errors).max():.1%}"


if __name__ == "__main__":
    main()
