"""How many images a second a search asks on a device, against SpikingJelly's fastest backend there.

Ways:

* ``search``: robustness probes and the plans of the paper's policy, each asked for every image, as ``primesvt search``
  runs them with ``--device``: what plans have in common is computed once, and kept on the device;
* ``apart``: the same with ``--cache 0``: every plan goes all the way, on CUDA as a graph;
* ``backend``: the unpruned model of SpikingJelly's zoo with the fastest neuron that SpikingJelly has for the device, on
  CUDA with the channels last, on batches of the same size that are there already. It prunes nothing.

The first two count all of a study's seconds: surgery, folding, copies, reading images, the sampler. Without a device,
it is the engine of the CPU that searches.

Models: the embedded demo model on images of Fashion-MNIST; those of ``benchmarks/inference.py`` at 224x224, with random
weights, on random images.

    python benchmarks/device.py [--quick] [--json FILE] [--keep] [--device cuda] [--precision bfloat16]
                                [--models demo,...]
"""

import argparse
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from inference import MODELS, images_for, neuron_of_spikingjelly, stock_way, zoo_model
from kept import add_options, machine, settle
from limit import seconds
from optuna.storages import InMemoryStorage
from torch import nn

from primesvt.models import ArrayImages, Backend, batch_size_of, config_of, from_spikingjelly, load_model, open_data
from primesvt.models.data.data_set import split
from primesvt.search import DEFAULT_CACHE, Constraints
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import StudySettings
from primesvt.studies.running.subject import Subject

WAYS = ("search", "apart", "backend")


def subject_of(name: str, images: int) -> Subject:
    """A model with so many selection images."""
    if name == "demo":
        return Subject(load_model("demo"), open_data(None))
    model = from_spikingjelly(zoo_model(name), image_size=(224, 224)).eval()
    rng, classes = np.random.default_rng(0), config_of(model).classes
    pixels = ArrayImages(rng.integers(0, 256, (3 * images, 224, 224, 3), np.uint8))
    part = pixels, rng.integers(0, len(classes), 3 * images)
    return Subject(model, split("random", classes, part, part))


def searched(subject: Subject, args: argparse.Namespace, cache: int) -> float:
    """Images a second of a study, from nothing."""
    images = 0

    def count(batch: int) -> None:
        nonlocal images
        images += batch

    settings = StudySettings(
        images=args.images,
        options=PrioritizedOptions(rates=(0.3, 0.6)),
        # No plan is rejected, and none is the last: every one is asked for every image.
        constraints=Constraints(max_drop=100, min_saving=0.7),
        precision=args.precision,
    )
    options = RunOptions(trials=args.trials, cache=cache, device=args.device, on_batch=count)
    run_study("warm", InMemoryStorage(), subject, replace(settings, images=32), replace(options, trials=1))
    images, started = 0, time.perf_counter()
    run_study("benchmark", InMemoryStorage(), subject, settings, options)
    return images / (time.perf_counter() - started)


def stock(name: str, model: nn.Module, backend: Backend, rounds: int) -> float:
    """Images a second of SpikingJelly's model."""
    there = zoo_model(name).to(backend.device)
    batch = images_for(name, batch_size_of(model.config)).to(backend.device)  # type: ignore[arg-type]
    if backend.device.type == "cuda":
        there = there.to(memory_format=torch.channels_last)
    with torch.autocast(backend.device.type, torch.bfloat16, enabled=backend.precision == "bfloat16"):
        times = [seconds(lambda: stock_way(there, batch)) for _ in range(rounds + 1)][1:]
    return len(batch) / float(np.median(times))


def measured(name: str, args: argparse.Namespace, backend: Backend) -> dict[str, Any]:
    """Images a second by every way."""
    subject = subject_of(name, args.images)
    speed = {
        "search": searched(subject, args, DEFAULT_CACHE),
        "apart": searched(subject, args, 0),
        "backend": stock(name, subject.model, backend, 3 if args.quick else 10),
    }
    return {"images_per_second": speed, "search_vs_backend": speed["search"] / speed["backend"]}


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", metavar="A,B", default="demo", help=f"of {','.join(MODELS)} (default: %(default)s)")
    parser.add_argument("--device", help="as of primesvt search; without it, the engine of the CPU")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="default: %(default)s")
    parser.add_argument("--images", metavar="N", type=int, help="selection images (default: 1000; 128 with --quick)")
    parser.add_argument("--trials", metavar="N", type=int, help="plans (default: 24; 6 with --quick)")
    add_options(parser, quick="a small study")
    args = parser.parse_args()
    args.images = args.images or (128 if args.quick else 1000)
    args.trials = args.trials or (6 if args.quick else 24)
    backend, found = Backend.named(args.device, args.precision), {}
    for name in args.models.split(","):
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = measured(name, args, backend)
    where = {
        "device": torch.cuda.get_device_name(backend.device) if backend.device.type == "cuda" else "cpu",
        "precision": args.precision,
        "by": "PrimeSVT's engine" if backend.engine else "PyTorch",
        "neurons_of_spikingjelly": neuron_of_spikingjelly(backend.device),
    }
    print(table(found, where, args))
    ratios = {f"{name}_search_vs_backend": figures["search_vs_backend"] for name, figures in found.items()}
    surroundings = machine(backend.device)
    figures = {"models": found, **where, "images": args.images, "trials": args.trials, "machine": surroundings}
    settle(args, "device", ratios, figures)


def table(found: dict[str, Any], where: dict[str, str], args: argparse.Namespace) -> str:
    """What a person reads."""
    lines = [
        f"{where['device']}, {where['precision']}, by {where['by']}; SpikingJelly's neurons: "
        f"{where['neurons_of_spikingjelly']}; {args.trials} plans of {args.images:,} images\n",
        f"{'images/s':<18}" + "".join(f"{way:>12}" for way in WAYS) + f"{'search/backend':>16}",
    ]
    for name, figures in found.items():
        speed = figures["images_per_second"]
        lines.append(
            f"{name:<18}" + "".join(f"{speed[w]:>12.1f}" for w in WAYS) + f"{figures['search_vs_backend']:>16.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
