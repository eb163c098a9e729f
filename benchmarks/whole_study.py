"""Whole studies with default options on the demo model, by what stock SpikingJelly would take for the same plans.

Studies: the policy as a comparison runs it, on to the limit of accuracy, with its probes when it needs them
(``policy``) and before all else (``probe_first``), which must end with the same plan; and 100 trials of
``sensitivity``. Each in a storage in memory, on all selection images.

SpikingJelly's model has no smaller layers: a plan is channels forced to zero, and takes the time of the unpruned model.
So its time is measured per image, on batches asked between the studies, and multiplied by the images of all plans.

    python benchmarks/whole_study.py [--quick] [--json FILE] [--keep]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna
from inference import images_for, stock_way, zoo_model
from kept import add_options, machine, settle
from limit import seconds

from primesvt.models import load_model, open_data
from primesvt.search.samplers import PrioritizedOptions, sampler_kind
from primesvt.studies.running.runner import RunOptions, run_study
from primesvt.studies.running.settings import DEFAULT_RISK, StudySettings
from primesvt.studies.running.subject import Subject

GOAL = 20.0
_BATCH = 64


@dataclass(frozen=True)
class Study:
    """A kind of study.

    Args:
        settings: Of the search.
        trials: At most; None is as many as the sampler needs.
    """

    settings: StudySettings
    trials: int | None = None


def studies(quick: bool) -> Mapping[str, Study]:
    """What is run, by name."""
    policy = StudySettings(
        images=400 if quick else None,
        options=PrioritizedOptions(exhaust=True, rates=(0.3, 0.6)) if quick else PrioritizedOptions(exhaust=True),
        risk=DEFAULT_RISK,
    )
    probing = replace(policy, options=replace(policy.options, probe_first=True))
    kind = sampler_kind("sensitivity")
    ours = replace(policy, sampler="sensitivity", options=kind.options())
    return {"policy": Study(policy), "probe_first": Study(probing), "sensitivity": Study(ours, 20 if quick else 100)}


def run(study: Study) -> dict[str, Any]:
    """A study from nothing: its seconds, trials, the images asked, those of all plans, and the best plan."""
    asked: list[int] = []
    subject = Subject(load_model("demo"), open_data(None))
    options = RunOptions(trials=study.trials, on_batch=asked.append)
    started = time.perf_counter()
    done = run_study("benchmark", optuna.storages.InMemoryStorage(), subject, study.settings, options)
    taken = time.perf_counter() - started
    best = done.best
    return {
        "seconds": taken,
        "trials": len(done.finished),
        "images": sum(asked),
        "all_images": len(done.finished) * done.baseline.images,
        "plan": {} if best is None else dict(done.plan(best).ratios),
    }


def stock_seconds(batches: int) -> float:
    """Of SpikingJelly's model, per image."""
    stock, images = zoo_model("demo"), images_for("demo", _BATCH)
    seconds(lambda: stock_way(stock, images))
    return statistics.median(seconds(lambda: stock_way(stock, images)) for _ in range(batches)) / _BATCH


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, quick="400 images, two rates, 20 trials")
    args = parser.parse_args()
    run(Study(studies(True)["policy"].settings, 2))  # kernels are compiled now
    found: dict[str, Any] = {}
    rates = [stock_seconds(10)]
    print(f"{'study':<14}{'trials':>8}{'images asked':>14}{'of':>10}{'seconds':>9}{'stock':>9}{'ratio':>8}")
    for name, study in studies(args.quick).items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = figures = run(study)
        rates.append(stock_seconds(10))
        figures["stock_seconds"] = figures["all_images"] * statistics.mean(rates[-2:])
        print(
            f"{name:<14}{figures['trials']:>8}{figures['images']:>14,}{figures['all_images']:>10,}"
            f"{figures['seconds']:>9.1f}{figures['stock_seconds']:>9.1f}"
            f"{figures['stock_seconds'] / figures['seconds']:>8.1f}"
        )
    whole = sum(f["stock_seconds"] for f in found.values()) / sum(f["seconds"] for f in found.values())
    ratios = {"whole": whole, **{name: f["stock_seconds"] / f["seconds"] for name, f in found.items()}}
    same = found["policy"]["plan"] == found["probe_first"]["plan"]
    print(
        f"\nwhole{whole:>8.1f}   >= {GOAL:.0f}{'' if whole >= GOAL else '   missed'}; same plan of the policy: {same}"
    )
    settle(
        args,
        "whole_study",
        ratios,
        {"ratios": ratios, "goals": {"whole": GOAL}, "same_plan": same, "studies": found, "machine": machine()},
    )


if __name__ == "__main__":
    main()
