# ruff: noqa: S311, S603
"""How much time and memory import, loading and surgery of the largest published model take.

Each measurement runs in a process of its own, as a peak of memory cannot be taken back. *Peak memory* is the largest
resident set of that process, less what it had when PrimeSVT was imported and nothing done; pages of mapped files count.

    python benchmarks/import.py [--name spikformer-8-768] [--quick] [--json FILE]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST, SMALL = "spikformer-8-768", "spikformer-4-384"
# Goals of the project, as ratios to the size of the file, or to the time of reading it, or seconds.
GOALS = {
    "import_peak_over_file": 2.5,
    "load_seconds_over_read": 1.3,
    "surgery_seconds": 2.0,
    "surgery_peak_over_model": 2.2,
}


def resident() -> int:
    """Largest resident set of this process so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def make(name: str, folder: Path) -> dict[str, Any]:
    """A checkpoint with random weights, as the official training script of the family saves it."""
    import torch

    from primesvt.models import build, named_config, official_state

    torch.manual_seed(0)
    state, _ = official_state(build(named_config(name)))
    torch.save({"epoch": 300, "state_dict": state}, folder / "checkpoint.pth")
    return {}


def imported(name: str, folder: Path) -> dict[str, Any]:
    """The import of the command line, without its printing."""
    from primesvt.models import Unsaid, import_checkpoint, save_model

    before, started = resident(), time.perf_counter()
    save_model(import_checkpoint(folder / "checkpoint.pth", Unsaid(), name=name).model, folder / "model")
    return {"seconds": time.perf_counter() - started, "peak": resident() - before}


def loaded(_name: str, folder: Path) -> dict[str, Any]:
    """Loading a model directory, in turn with reading its safetensors.

    safetensors maps the file, so what it returns has been read when every tensor has been copied; loading looks at
    every number, too. ``touch`` is the lower limit: every tensor summed, where the system has the file in memory.
    """
    from safetensors.torch import load_file

    from primesvt.models import load_model

    file = folder / "model" / "model.safetensors"
    actions: dict[str, Callable[[], Any]] = {
        "read": lambda: [tensor.clone() for tensor in load_file(file).values()],
        "touch": lambda: [tensor.sum() for tensor in load_file(file).values()],
        "load": lambda: load_model(folder / "model"),
    }
    times: dict[str, list[float]] = {key: [] for key in actions}
    for _ in range(9):
        for key, action in actions.items():
            started = time.perf_counter()
            action()
            times[key].append(time.perf_counter() - started)
    return {key: statistics.median(values[1:]) for key, values in times.items()}


def pruned(_name: str, folder: Path) -> dict[str, Any]:
    """Surgery with a random plan, the model's own bytes included in the peak."""
    import random

    from primesvt.models import load_model, model_bytes
    from primesvt.pruning import PruningPlan, prunable_layers, prune

    before = resident()
    model = load_model(folder / "model")
    chance = random.Random(0)
    plan = PruningPlan({layer.name: chance.uniform(0, 0.9) for layer in prunable_layers(model)})
    started = time.perf_counter()
    smaller = prune(model, plan)
    seconds = time.perf_counter() - started
    peak = resident() - before
    return {"seconds": seconds, "peak": peak, "bytes": model_bytes(model), "pruned_bytes": model_bytes(smaller)}


STEPS: dict[str, Callable[[str, Path], dict[str, Any]]] = {
    step.__name__: step for step in (make, imported, loaded, pruned)
}


def run(step: str, name: str, folder: Path) -> dict[str, Any]:
    """A step in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--name", name, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _verdict(name: str, value: float, goal: float) -> str:
    """What a figure says of its goal, which is meant for the largest model: what is fixed weighs more on others."""
    return "   missed" if name == LARGEST and value > goal else ""


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", help=f"a published size (default: {LARGEST})")
    parser.add_argument("--quick", action="store_true", help=f"a small one instead, {SMALL}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the figures")
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    name = args.name or (SMALL if args.quick else LARGEST)
    if args.step:
        import primesvt.pruning  # noqa: F401 - what every step needs is no part of what is measured

        print(json.dumps(STEPS[args.step](name, args.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run("make", name, folder)
        size = (folder / "checkpoint.pth").stat().st_size
        first, second, third = (run(step, name, folder) for step in ("imported", "loaded", "pruned"))
    figures = {
        "import_peak_over_file": first["peak"] / size,
        "load_seconds_over_read": second["load"] / second["read"],
        "surgery_seconds": third["seconds"],
        "surgery_peak_over_model": third["peak"] / third["bytes"],
    }
    print(f"{name}: checkpoint {size / 1e6:.1f} MB")
    print(
        f"import {first['seconds']:.2f} s; load {second['load']:.3f} s, reading the weights {second['read']:.3f} s, "
        f"or {second['touch']:.3f} s without a copy"
    )
    print(f"surgery to {third['pruned_bytes'] / third['bytes']:.0%} of the bytes: {third['seconds']:.2f} s\n")
    print(f"{'figure':<26}{'measured':>10}{'goal':>8}")
    for key, value in figures.items():
        print(f"{key:<26}{value:>10.2f}{GOALS[key]:>8.1f}{_verdict(name, value, GOALS[key])}")
    if args.json:
        args.json.write_text(
            json.dumps({"name": name, "file_bytes": size, "figures": figures, "goals": GOALS}, indent=1)
        )


if __name__ == "__main__":
    main()
