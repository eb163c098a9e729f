"""Where the time of a trial goes, by depth of the model, number of prunable layers, and sampler.

Spike-driven Transformers of 2, 8 and 24 blocks with random weights, 64 channels wide, on 28x28 images; the number of
layers that a search may prune grows with the depth, or is held at those of the shallowest one. Each sampler runs a
study; the first trials, which model-based samplers draw at random, are left out. Columns, in seconds per trial: asking
the candidate for its images, building it (surgery), the rest of the evaluation, and the sampler with its storage.

    python benchmarks/scaling.py [--quick] [--json FILE] [--samplers A,B] [--storage sqlite:///FILE]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import optuna
from stopwatch import Stopwatch, machine
from torch import nn

from primesvt.models import DataSet, SpikeDrivenTransformerConfig, open_data
from primesvt.pruning import prunable_layers
from primesvt.pruning.family_contract import lively_model
from primesvt.search import Constraints, Evaluator
from primesvt.search.samplers import PRIORITIZED, SAMPLERS, PrioritizedOptions
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.storage import open_storage
from primesvt.studies.running.subject import Subject

DEPTHS = (2, 8, 24)
# The first trials of TPE and GP are random, as they learn from others; NSGA-II's first generation is.
FIRST = 12
COLUMNS = ("asking", "building", "sampler")


def model_of(depth: int, data: DataSet) -> nn.Module:
    """A model with lively neurons."""
    config = SpikeDrivenTransformerConfig.uniform(
        embed_dim=64,
        depth=depth,
        heads=8,
        pooling="1101",
        in_channels=1,
        image_size=(28, 28),
        classes=data.classes,
        time_steps=4,
        mean=(0.2883,),
        std=(0.3541,),
    )
    return lively_model(config).float()


def trial_seconds(
    model: nn.Module, data: DataSet, sampler: str, layers: tuple[str, ...], args: argparse.Namespace
) -> dict[str, float]:
    """Seconds of one trial by part, a mean over the last ones."""
    settings = StudySettings(
        sampler=sampler,
        constraints=Constraints(max_drop=100, min_saving=0.0),
        images=args.images,
        layers=layers,
        options=PrioritizedOptions(rates=(0.5,)) if sampler == PRIORITIZED else None,
    )
    storage = optuna.storages.InMemoryStorage() if args.storage is None else open_storage(args.storage)
    name = f"scaling-{sampler}-{len(layers)}-{id(model)}"
    subject = Subject(model, data)
    run_study(name, storage, subject, settings, RunOptions(trials=FIRST))
    watch = Stopwatch()
    with watch.running():
        way = watch.around_evaluator(Evaluator)
        options = RunOptions(trials=FIRST + args.trials, evaluator_type=way)
        run_study(name, storage, subject, settings, options)
    return {part: seconds / max(1, watch.evaluations) for part, seconds in watch.shares().items()}


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", metavar="A,B", default=",".join(SAMPLERS), help="default: %(default)s")
    parser.add_argument("--images", metavar="N", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--trials", metavar="N", type=int, default=6, help="trials measured (default: %(default)s)")
    parser.add_argument("--storage", metavar="URL", help="default: in memory")
    parser.add_argument("--quick", action="store_true", help="two depths, 200 images, two trials, without gp")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where to write the figures")
    args = parser.parse_args()
    samplers = tuple(args.samplers.split(","))
    depths = DEPTHS
    if args.quick:
        args.images, args.trials, depths = 200, 2, DEPTHS[:2]
        samplers = tuple(name for name in samplers if name != "gp")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data = open_data(None)
    few = tuple(layer.name for layer in prunable_layers(model_of(DEPTHS[0], data)))
    rows: list[dict[str, Any]] = []
    print(f"{'depth':>5}{'layers':>8}  {'sampler':<12}" + "".join(f"{name:>10}" for name in COLUMNS) + "   s per trial")
    for depth in depths:
        model = model_of(depth, data)
        every = tuple(layer.name for layer in prunable_layers(model))
        for layers in dict.fromkeys((few, every)):
            for sampler in samplers:
                seconds = trial_seconds(model, data, sampler, layers, args)
                rows.append({"depth": depth, "layers": len(layers), "sampler": sampler, "seconds": seconds})
                values = "".join(f"{seconds[name]:>10.3f}" for name in COLUMNS)
                print(f"{depth:>5}{len(layers):>8}  {sampler:<12}{values}", flush=True)
    cheap = {
        sampler: max(
            (row["seconds"]["building"] + row["seconds"]["sampler"]) / row["seconds"]["asking"]
            for row in rows
            if row["sampler"] == sampler
        )
        for sampler in samplers
    }
    print("\nbuilding and sampler, by the time of asking, at most: ", end="")
    print(", ".join(f"{sampler} {share:.1%}" for sampler, share in cheap.items()))
    if args.json:
        figures = {"rows": rows, "cheap_share": cheap, "images": args.images, "machine": machine()}
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
