"""How much memory a search of the largest published model takes at its peak, beside the model and ``--cache``.

Spikformer-8-768 with random weights on random images of 224x224, in a process of its own. *Base* is what the process
holds when it has searched a tiny Spikformer: interpreter, libraries and kernels. *Peak* is the largest resident set
while the model is made and searched, less the base; the goal is 2.5 times the model's bytes and the cache.

    python benchmarks/memory.py [--quick] [--json FILE] [--keep] [--cache MIB] [--images N] [--sampler NAME]
"""

import argparse
import json
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import optuna
from kept import add_options, machine, settle
from resident import forget_peak, resident
from torch import nn

from primesvt.models import DataSet, build, model_bytes, named_config
from primesvt.models.data.data_set import split
from primesvt.models.data.images import ArrayImages
from primesvt.search import Constraints
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

LARGEST, SMALL = "spikformer-8-768", "spikformer-4-384"
GOAL, MIB = 2.5, 2**20


def images_for(model: nn.Module, count: int) -> DataSet:
    """Random images that fit a model, of which so many are selected on."""
    config: Any = model.config
    rng = np.random.default_rng(0)
    height, width = config.image_size
    pixels = rng.integers(0, 256, (3 * count + 24, height, width, config.in_channels), dtype=np.uint8)
    labels = np.arange(len(pixels)) % len(config.classes)
    part = ArrayImages(pixels), labels.astype(np.int64)
    return split("random", config.classes, part, part)


def search(model: nn.Module, args: argparse.Namespace) -> None:
    """A few trials; every plan is asked for all images."""
    settings = StudySettings(
        sampler=args.sampler, constraints=Constraints(max_drop=100, min_saving=0.0), images=args.images
    )
    subject = Subject(model.eval(), images_for(model, args.images))
    run_study(
        "memory",
        optuna.storages.InMemoryStorage(),
        subject,
        settings,
        RunOptions(trials=args.trials, cache=args.cache * MIB),
    )


def in_this_process(args: argparse.Namespace) -> dict[str, int]:
    """Base, peak and the model's bytes."""
    warnings.simplefilter("ignore")
    config: Any = named_config(args.name)
    # Of the same family, as kernels are loaded that it needs.
    tiny = type(config).uniform(
        embed_dim=32,
        depth=1,
        heads=2,
        in_channels=config.in_channels,
        image_size=(64, 64),
        classes=config.classes,
        time_steps=config.time_steps,
        mean=config.mean,
        std=config.std,
    )
    search(build(tiny), args)
    forget_peak()
    base = resident("VmRSS")
    model = build(config)
    search(model, args)
    return {"base": base, "peak": resident("VmHWM") - base, "model": model_bytes(model)}


def main() -> None:
    """Measure, print, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", metavar="MIB", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--images", metavar="N", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--trials", metavar="N", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--sampler", default="random", help="default: %(default)s")
    parser.add_argument("--name", help=f"a published size (default: {LARGEST})")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    add_options(parser, quick=f"{SMALL} instead, 8 images, 2 trials")
    args = parser.parse_args()
    args.name = args.name or (SMALL if args.quick else LARGEST)
    if args.quick:
        args.images, args.trials = 8, 2
    if args.once:
        print(json.dumps(in_this_process(args)))
        return
    command = [sys.executable, *sys.argv, "--once"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    found = json.loads(done.stdout.splitlines()[-1])
    over = (found["peak"] - args.cache * MIB) / found["model"]
    print(
        f"{args.name}, {args.images} images, {args.trials} trials of {args.sampler}, --cache {args.cache}: model "
        f"{found['model'] / MIB:,.0f} MiB; interpreter and libraries {found['base'] / MIB:,.0f} MiB; beside them at "
        f"most {found['peak'] / MIB:,.0f} MiB, that is the cache and {over:.2f} times the model"
        f"{'' if over <= GOAL or args.name != LARGEST else f'   missed: {GOAL}'}"
    )
    # The larger, the better.
    settle(args, "memory", {"model_over_peak": 1 / over}, {**found, "machine": machine(), "goal": GOAL})


if __name__ == "__main__":
    main()
