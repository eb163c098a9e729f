"""What it costs to count a model's work while it answers: CPU time of the engine on one thread, with and without.

Both answer the same images in turn. The mean of the fastest third of the runs and the median are printed, as what else
a busy machine does makes single runs longer.

    python benchmarks/counting.py [--quick] [--images N] [--runs N] [--models demo,...] [--data PATH]
                                  [--json FILE] [--keep]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept import add_options, machine, settle

from primesvt.models import config_of, counted_forward, forward_of, frame_of, load_model, open_data

MODELS = {name: f"{Path(__file__).parent}/models/{name}" for name in ("spikformer", "qkformer")} | {"demo": "demo"}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="demo,spikformer,qkformer")
    parser.add_argument("--data", help="default: the embedded sample")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--runs", type=int, default=60)
    add_options(parser, quick="few runs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = 6 if args.quick else args.runs
    found = {name: measured(name, args.data, args.images, runs) for name in args.models.split(",")}
    for name, each in found.items():
        print(f"{name:12} counting adds {each['fastest']:+.1%} (fastest third), {each['median']:+.1%} (median)")
    ratios = {f"{name}_alone_by_counted": 1 / (1 + each["fastest"]) for name, each in found.items()}
    settle(args, "counting", ratios, {"machine": machine(), "models": found})


def measured(name: str, data: str | None, count: int, runs: int) -> dict[str, Any]:
    """What counting adds for a model, as fractions, and the seconds of all runs."""
    model = load_model(MODELS[name]).eval()
    chosen = open_data(data, frame_of(config_of(model))).selection.first(count)
    images, _ = chosen.read(config_of(model), chosen.indices)
    ways = (forward_of(model, images.shape), counted_forward(model, images.shape))
    times: list[list[float]] = [[], []]
    with torch.inference_mode():
        for run in range(-2, runs):
            for way, own in zip(ways, times, strict=True):
                taken = seconds(lambda way=way: way.answer(np.arange(len(images)), lambda _: images))  # type: ignore[misc]
                own += [taken] if run >= 0 else []
    third = max(1, runs // 3)
    fastest = [np.mean(sorted(own)[:third]) for own in times]
    medians = np.median(times, axis=1)
    added = {"fastest": fastest[1] / fastest[0] - 1, "median": medians[1] / medians[0] - 1}
    return {**{how: float(value) for how, value in added.items()}, "seconds": times}


def seconds(answer: Callable[[], object]) -> float:
    """CPU time of this thread."""
    started = time.thread_time()
    answer()
    return time.thread_time() - started


if __name__ == "__main__":
    main()
