"""Where the time of a trial goes, by depth of the model, layers and sampler; what workers add; and how time grows.

Spike-driven Transformers of 2, 8 and 24 blocks with random weights, 64 channels wide, on 28x28 images; the number of
layers that a search may prune grows with the depth, or is held at those of the shallowest one. Each sampler runs a
study; the first trials, which model-based samplers draw at random, are left out. Columns, in seconds per trial: asking
the candidate for its images, building it (surgery), the rest of the evaluation, and the sampler with its storage.

Then the same study of the model of 8 blocks is run by one worker, and by several at once: each a process with one
thread, from the study's first moment to the end of the last worker, the unpruned model included, which every worker
asks for itself. Importing PrimeSVT and loading its kernels is not counted. TPE runs as many trials in any case; the
policy goes on to its end, so that what one worker measures for nothing while the other measures the next step is lost.
Here every plan keeps the limits: it is the policy's best case, and says what is lost beside wrong guesses.

How time grows with depth, width, images, layers and trials is measured by ``growth.py``: its figures are exponents.

    python benchmarks/scaling.py [--quick] [--json FILE] [--keep] [--samplers A,B] [--storage sqlite:///FILE]
                                 [--workers N] [--only workers|trials|growth]
"""

import argparse
import multiprocessing
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

import optuna
from growth import HEADER, config_of_size, curves
from kept import add_options, machine, settle
from stopwatch import Stopwatch
from torch import nn

from primesvt.models import DataSet, open_data
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
# Of what workers share: one sampler that learns from every trial, and one whose next step may hang on the last.
SHARED_SAMPLERS, SHARED_DEPTH, SHARED_TRIALS, ROUNDS = ("tpe", PRIORITIZED.name), DEPTHS[1], 32, 2
# Of the policy, two a block: one worker ends after 31 trials. It may have twice as many, as guesses count, too.
SHARED_LAYERS = ("blocks.*.hidden", "blocks.*.output")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def model_of(depth: int) -> nn.Module:
    """A model with lively neurons."""
    return lively_model(config_of_size(depth)).float()


def settings_of(sampler: str, images: int, layers: tuple[str, ...] = ()) -> StudySettings:
    """A search in which every plan is asked for all images."""
    return StudySettings(
        sampler=sampler,
        constraints=Constraints(max_drop=100, min_saving=0.0),
        images=images,
        layers=layers,
        # Without `exhaust` the policy would end with its first plan, as any keeps these limits.
        options=PrioritizedOptions(rates=(0.5,), exhaust=True) if sampler == PRIORITIZED.name else None,
    )


def trial_seconds(
    model: nn.Module, data: DataSet, sampler: str, layers: tuple[str, ...], args: argparse.Namespace
) -> dict[str, float]:
    """Seconds of one trial by part, a mean over the last ones."""
    settings = settings_of(sampler, args.images, layers)
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


@dataclass(frozen=True)
class Shared:
    """A study that workers share.

    Args:
        name: Its name.
        storage: URL of its storage.
        sampler: How it searches.
        images: Asked of every plan.
        trials: It shall have so many at most.
        layers: That may be pruned; all where there are none.
    """

    name: str
    storage: str
    sampler: str
    images: int
    trials: int
    layers: tuple[str, ...] = ()


def work(shared: Shared, ready: Barrier, spans: "SimpleQueue[tuple[float, float, float]]") -> None:
    """What a worker does in its process; it tells when it began and ended, and its seconds of CPU time."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data = open_data(None)
    subject = Subject(model_of(SHARED_DEPTH), data)
    settings = settings_of(shared.sampler, shared.images, shared.layers)
    # What a process does once.
    run_study("warm", optuna.storages.InMemoryStorage(), subject, settings, RunOptions(trials=1))
    ready.wait()
    began, worked = time.monotonic(), time.process_time()
    run_study(shared.name, open_storage(shared.storage), subject, settings, RunOptions(trials=shared.trials))
    spans.put((began, time.monotonic(), time.process_time() - worked))


def seconds_of_workers(count: int, shared: Shared) -> tuple[float, float]:
    """Seconds that so many workers take for a study, and their CPU time together."""
    context = multiprocessing.get_context("spawn")
    ready, spans = context.Barrier(count), context.SimpleQueue()
    workers = [context.Process(target=work, args=(shared, ready, spans)) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise SystemExit(f"a worker ended with {worker.exitcode}")
    began, ended, worked = zip(*(spans.get() for _ in workers), strict=True)
    return max(ended) - min(began), sum(worked)


def speedups(args: argparse.Namespace) -> list[dict[str, Any]]:
    """How much faster workers are than one, by sampler; in turn, as a machine's speed changes."""
    os.environ |= ONE_THREAD  # of processes that begin from now on
    rows = []
    for sampler in SHARED_SAMPLERS:
        to_end = sampler == PRIORITIZED.name
        layers = SHARED_LAYERS[: 1 if args.quick else 2] if to_end else ()
        trials = 2 * SHARED_TRIALS if to_end else args.shared_trials
        what = "to its end" if to_end else f"{trials} trials"
        seconds: dict[int, list[tuple[float, float]]] = {1: [], args.workers: []}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(1 if args.quick else ROUNDS):
                for count, taken in seconds.items():
                    name = f"scaling-{sampler}-{time.time_ns()}"
                    url = args.storage or f"sqlite:///{folder}/{name}.db"
                    taken.append(seconds_of_workers(count, Shared(name, url, sampler, args.images, trials, layers)))
        (one, cpu), (several, cpus) = (min(seconds[count]) for count in (1, args.workers))
        rows.append({"sampler": sampler, "workers": args.workers, "seconds": seconds, "speedup": one / several})
        print(
            f"{sampler}, {what}: one worker {one:.1f} s (CPU time {cpu:.1f} s), {args.workers} "
            f"workers {several:.1f} s ({cpus:.1f} s), {one / several:.2f} times as fast",
            flush=True,
        )
    return rows


def trial_rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Where the time of a trial goes, by depth, layers and sampler."""
    samplers = tuple(args.samplers.split(","))
    if args.quick:
        samplers = tuple(name for name in samplers if name != "gp")
    data = open_data(None)
    few = tuple(layer.name for layer in prunable_layers(model_of(DEPTHS[0])))
    rows: list[dict[str, Any]] = []
    print(f"{'depth':>5}{'layers':>8}  {'sampler':<12}" + "".join(f"{name:>10}" for name in COLUMNS) + "   s per trial")
    for depth in DEPTHS[:2] if args.quick else DEPTHS:
        model = model_of(depth)
        every = tuple(layer.name for layer in prunable_layers(model))
        for layers in dict.fromkeys((few, every)):
            for sampler in samplers:
                seconds = trial_seconds(model, data, sampler, layers, args)
                rows.append({"depth": depth, "layers": len(layers), "sampler": sampler, "seconds": seconds})
                values = "".join(f"{seconds[name]:>10.3f}" for name in COLUMNS)
                print(f"{depth:>5}{len(layers):>8}  {sampler:<12}{values}", flush=True)
    return rows


def growth_rows(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The exponents of time over what may grow."""
    rows = []
    print(HEADER)
    for curve in curves(quick=args.quick):
        rows.append({"curve": curve.name, "what": curve.what, **curve.to_json()})
        print(curve, flush=True)
    print()
    return rows


def cheap_shares(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Of every sampler, building and sampler by the time of asking, at most."""
    shares: dict[str, float] = {}
    for row in rows:
        seconds = row["seconds"]
        share = (seconds["building"] + seconds["sampler"]) / seconds["asking"]
        shares[row["sampler"]] = max(share, shares.get(row["sampler"], 0.0))
    return shares


def main() -> None:
    """Measure, print tables, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samplers", metavar="A,B", default=",".join(SAMPLERS), help="default: %(default)s")
    parser.add_argument("--images", metavar="N", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--trials", metavar="N", type=int, default=6, help="trials measured (default: %(default)s)")
    parser.add_argument("--storage", metavar="URL", help="default: in memory; of workers, an SQLite file")
    parser.add_argument("--workers", metavar="N", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--only", choices=("trials", "workers", "growth"), help="one of the three parts")
    add_options(parser, quick="two depths, 200 images, two trials, without gp; two steps of every growth")
    args = parser.parse_args()
    args.shared_trials = SHARED_TRIALS
    if args.quick:
        args.images, args.trials, args.shared_trials = 200, 2, SHARED_TRIALS // 2
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    figures: dict[str, Any] = {"images": args.images, "machine": machine()}
    if args.only in (None, "trials"):
        figures["rows"] = rows = trial_rows(args)
        figures["cheap_share"] = cheap_shares(rows)
        print("\nbuilding and sampler, by the time of asking, at most: ", end="")
        print(", ".join(f"{sampler} {share:.1%}" for sampler, share in figures["cheap_share"].items()) + "\n")
    if args.only in (None, "growth"):
        figures["growth"] = growth_rows(args)
    if args.only in (None, "workers"):
        figures["workers"] = speedups(args)
    ratios = {f"{row['sampler']}_{row['workers']}_workers": row["speedup"] for row in figures.get("workers", [])}
    settle(args, "scaling", ratios, figures)


if __name__ == "__main__":
    main()
