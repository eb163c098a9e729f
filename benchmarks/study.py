"""How long robustness and the prioritized policy take: every plan asked plainly, against the engine with all it saves.

``naive`` asks every image of every plan by the model's plain forward pass. ``engine`` runs the same study as
``primesvt search`` does: spikes as bits, prefixes that plans share computed once, plans that cannot keep the limit
rejected early (risk 1e-4). Both decide the same, or ``same_plan`` is false. They take turns; times are medians.

    python benchmarks/study.py [--quick] [--json FILE] [--keep] [--images N] [--rates A,B,...]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import optuna
from kept import add_options, machine, settle
from stopwatch import Stopwatch
from torch import nn

from primesvt.models import DataSet, load_model, open_data
from primesvt.models.engine.forward import DirectForward
from primesvt.pruning import PruningPlan
from primesvt.search import DEFAULT_CACHE, Evaluation, Evaluator, Rejection
from primesvt.search.samplers import PrioritizedOptions
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import DEFAULT_RISK, StudySettings
from primesvt.studies.running.study_run import StudyRun
from primesvt.studies.running.subject import Subject

GOAL = 5.0
# The share of an evaluation's time that may go into building the candidate and into the sampler.
CHEAP = 0.05


@dataclass(frozen=True)
class Round:
    """One run of the study.

    Args:
        seconds: Of the whole study.
        images: Asked, of all plans together.
        plan: What the policy ends with.
        feasible: Plans that keep the limits, among those tried.
        parts: Seconds by part.
    """

    seconds: float
    images: int
    plan: Mapping[str, float]
    feasible: frozenset[str]
    parts: Mapping[str, float]


class Plainly:
    """Instead of the engine."""

    def of(self, version: nn.Module, _version_of: Any) -> DirectForward:
        """Every plan is asked from the images on."""
        return DirectForward(version, "it is the naive way")

    def counted(self, version: nn.Module, _version_of: Any) -> NoReturn:
        """No study of this benchmark counts the work of its plans."""
        raise NotImplementedError


class NaiveEvaluator(Evaluator):
    """Asks every image of every plan, whatever the first ones were like."""

    @cached_property
    def forwards(self) -> Plainly:
        """How versions are asked."""
        return Plainly()

    def evaluate(self, plan: PruningPlan, _rejection: Rejection | None = None) -> Evaluation:
        """Every image."""
        return super().evaluate(plan)


def run(model: nn.Module, data: DataSet, settings: StudySettings, *, naive: bool) -> Round:
    """A study in memory, from nothing."""
    images, watch = 0, Stopwatch()

    def count(batch: int) -> None:
        nonlocal images
        images += batch

    way = watch.around_evaluator(NaiveEvaluator if naive else Evaluator)
    with watch.running():
        started = time.perf_counter()
        storage = optuna.storages.InMemoryStorage()
        options = RunOptions(cache=0 if naive else DEFAULT_CACHE, on_batch=count, evaluator_type=way)
        study = run_study("benchmark", storage, Subject(model, data), settings, options)
        seconds = time.perf_counter() - started
    return Round(seconds, images, _plan(study), _feasible(study), watch.shares())


def _plan(run: StudyRun) -> dict[str, float]:
    best = run.best
    return {} if best is None else dict(run.plan(best).ratios)


def _feasible(run: StudyRun) -> frozenset[str]:
    return frozenset(json.dumps(sorted(run.plan(trial).ratios.items())) for trial in run.feasible)


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", metavar="N", type=int, help="selection images (default: 1000; 400 with --quick)")
    parser.add_argument("--rates", metavar="A,B", help="rates (default: 0.1,0.3,0.5,0.7,0.9; 0.3,0.6 with --quick)")
    add_options(parser, quick="one round of a small study")
    args = parser.parse_args()
    rates = args.rates or ("0.3,0.6" if args.quick else "0.1,0.3,0.5,0.7,0.9")
    settings = StudySettings(
        images=args.images or (400 if args.quick else 1000),
        options=PrioritizedOptions(rates=tuple(float(rate) for rate in rates.split(","))),
        risk=DEFAULT_RISK,
    )
    figures = _compared(measured(settings, 1 if args.quick else 3))
    print(f"demo model, {settings.images} images, rates {rates}\n")
    _show(figures)
    settle(args, "study", figures["ratios"], figures)


def measured(settings: StudySettings, rounds: int) -> dict[str, list[Round]]:
    """What came out of every round, by the way of asking."""
    model, data = load_model("demo"), open_data(None)
    # Kernels are compiled now.
    run(model, data, StudySettings(images=64, options=PrioritizedOptions(rates=(0.5,))), naive=False)
    rounds_by_way: dict[str, list[Round]] = {"naive": [], "engine": []}
    for number in range(rounds):
        for way, done in rounds_by_way.items():
            print(f"round {number + 1}: {way} ...", file=sys.stderr, flush=True)
            done.append(run(model, data, settings, naive=way == "naive"))
    return rounds_by_way


def _compared(rounds_by_way: Mapping[str, list[Round]]) -> dict[str, Any]:
    medians = {way: statistics.median(o.seconds for o in done) for way, done in rounds_by_way.items()}
    every = [one for done in rounds_by_way.values() for one in done]
    parts = rounds_by_way["engine"][-1].parts
    return {
        "ratios": {"naive_over_engine": medians["naive"] / medians["engine"]},
        "plan": dict(every[0].plan),
        "same_plan": all(o.plan == every[0].plan for o in every),
        "feasible": len(every[0].feasible),
        "same_feasible": all(o.feasible == every[0].feasible for o in every),
        "goals": {"naive_over_engine": GOAL, "cheap_share": CHEAP},
        "cheap_share": (parts["building"] + parts["sampler"]) / parts["asking"],
        "seconds": medians,
        "images": {way: done[-1].images for way, done in rounds_by_way.items()},
        "parts": dict(parts),
        "machine": machine(),
    }


def _show(figures: Mapping[str, Any]) -> None:
    print(f"{'way':<10}{'seconds':>10}{'images asked':>15}")
    for way, seconds in figures["seconds"].items():
        print(f"{way:<10}{seconds:>10.2f}{figures['images'][way]:>15,}")
    ratio = figures["ratios"]["naive_over_engine"]
    print(f"\n{'naive_over_engine':<24}{ratio:>8.2f}   >= {GOAL:.1f}{'' if ratio >= GOAL else '   missed'}")
    print(
        f"same plan: {figures['same_plan']}, {figures['plan']}; "
        f"same feasible plans: {figures['same_feasible']} ({figures['feasible']})"
    )
    parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in figures["parts"].items())
    cheap = figures["cheap_share"]
    print(f"the engine's time: {parts}; building and sampler are {cheap:.1%} of asking (goal: at most {CHEAP:.0%})")


if __name__ == "__main__":
    main()
