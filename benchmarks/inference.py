# ruff: noqa: S603
"""How fast models answer: PrimeSVT's engine, SpikingJelly's zoo, and the limit of dense arithmetic, side by side.

Ways:

* ``stock``: the model of SpikingJelly's zoo under ``torch.inference_mode``, as its examples run it;
* ``backend``: the same with the fastest neuron that SpikingJelly has for the device; on a CPU it has a single one;
* ``engine``: the same weights through PrimeSVT; every logit is compared with those of its plain forward pass;
* ``limit``: only the convolutions and matrix products of the model, BatchNorm folded, a static image's first one once,
  each in the faster of PyTorch's two memory formats, on tensors of the same shapes; nothing between them. Its time is
  what a perfect engine would need that multiplies every zero. Ours adds up the spikes instead, so it may need less.

Models: the embedded demo model on test images; SDT-8-384 and Spikformer-8-384 at 224x224 with random weights and the
BatchNorm statistics of random images, without which their neurons would be silent. The share of neurons that fire is
printed: stock does not care, the engine does.

Ways take turns; times are medians. *Peak memory* is the largest resident set of a process of its own that answers one
batch, libraries and model included.

``--layers`` is another table: where the time of the engine goes, by layer (``layers.py``); of model directories, too.

    python benchmarks/inference.py [--quick] [--json FILE] [--keep] [--models demo,...] [--device cuda]
                                   [--precision bfloat16]
    python benchmarks/inference.py --layers [--models demo,benchmarks/models/meta-spikeformer,...] [--batch N]
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from kept import add_options, machine, settle
from layers import layer_times
from layers import table as layer_table
from limit import Limit, seconds
from resident import forget_peak, resident
from spikingjelly.activation_based import functional
from spikingjelly.activation_based import model as zoo
from torch import nn

from primesvt.models import (
    Forward,
    LIFNode,
    build,
    config_of,
    forward_of,
    from_spikingjelly,
    load_model,
    open_data,
    to_layout,
)
from primesvt.models.engine.device_model import DeviceModel

MODELS = ("demo", "sdt_8_384", "spikformer_8_384")
WAYS = ("stock", "backend", "engine", "limit")
GOALS = {
    "demo_vs_stock": 4.0,
    "sdt_8_384_vs_stock": 2.5,
    "spikformer_8_384_vs_stock": 2.5,
    "demo_limit_over_engine": 1.3,
    "sdt_8_384_limit_over_engine": 1.3,
    "spikformer_8_384_limit_over_engine": 1.3,
}
"""At least, but where the name ends in limit_over_engine: that is the engine's time by the limit's, at most."""


def zoo_model(name: str) -> nn.Module:
    """A model of SpikingJelly's zoo: the demo model's weights, or random ones with statistics of random images."""
    torch.manual_seed(0)
    stock: nn.Module
    if name == "demo":
        stock = zoo.SpikeDrivenTransformer(
            in_channels=1, num_classes=10, embed_dims=128, num_heads=8, depths=2, pooling_stat="1101"
        )
        stock.load_state_dict(demo_weights())
        stock.eval()
        return stock
    stock = (
        zoo.SpikeDrivenTransformer(num_classes=1000, embed_dims=384, num_heads=8, depths=8)
        if name == "sdt_8_384"
        else zoo.Spikformer(num_classes=1000, embed_dims=384, num_heads=6, depths=8)
    )
    norms = [module for module in stock.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        stock.train()(torch.randn(4, 3, 224, 224))
    functional.reset_net(stock)
    stock.eval()
    return stock


def demo_weights() -> dict[str, torch.Tensor]:
    """The demo model's weights as the zoo names them; the zoo's stem has biases, which are zero then."""
    model = load_model("demo")
    config = config_of(model)
    biased = build(type(config).from_json(config.to_json() | {"conv_bias": True})).eval()
    biased.load_state_dict(model.state_dict(), strict=False)
    for name, parameter in biased.named_parameters():
        if name.startswith("stem.") and name.endswith(".conv.bias"):
            nn.init.zeros_(parameter)
    return to_layout(biased, config.layouts[-1])


def images_for(name: str, count: int) -> torch.Tensor:
    """Test images of the demo's data, or random ones."""
    if name in MODELS[1:]:
        return torch.randn(count, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    test = open_data(None).test
    return test.read(config_of(load_model(name)), test.indices[:count])[0]


def stock_way(stock: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """One pass of the zoo's model, whose neurons must be told to forget."""
    functional.reset_net(stock)
    logits: torch.Tensor = stock(images)
    return logits


def neuron_of_spikingjelly(device: torch.device) -> str:
    """The neuron that SpikingJelly chooses for the device; version 2 chooses by itself."""
    return str(functional.neuron_implementation("lif", device)["implementation"])


def asked(forward: Forward) -> Callable[[torch.Tensor], torch.Tensor]:
    """A forward pass over sets of images, as one of a single batch."""
    return lambda images: forward.answer(np.arange(len(images)), lambda indices: images[indices])


def firing_rate(model: nn.Module, images: torch.Tensor) -> float:
    """Fraction of all neurons and time steps that fire."""
    counts: list[tuple[float, int]] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, spikes: counts.append((float(spikes.sum()), spikes.numel())))
        for module in set(model.modules())
        if isinstance(module, LIFNode)
    ]
    with torch.inference_mode():
        model(images)
    for hook in hooks:
        hook.remove()
    return sum(fired for fired, _ in counts) / sum(size for _, size in counts)


def ways_for(name: str, args: argparse.Namespace) -> tuple[dict[str, Callable[[], Any]], dict[str, Any]]:
    """The ways to ask one model, ready to be timed, and what is known of them."""
    device = torch.device(args.device)
    stock, images = zoo_model(name), images_for(name, args.batch or (64 if name == "demo" else 4))
    ours = from_spikingjelly(stock, image_size=(images.shape[-2], images.shape[-1])).eval()
    with torch.inference_mode():
        plain = ours(images)
        expected = stock_way(stock, images)
    facts: dict[str, Any] = {"batch": len(images), "firing_rate": firing_rate(ours, images[:4])}
    limit = Limit(ours.to(device), images.to(device))
    ours.cpu()
    if device.type == "cpu":
        forward = forward_of(ours, tuple(images.shape))
        facts["engine"] = "PrimeSVT" if forward.reason is None else f"PyTorch, as {forward.reason}"
        engine = asked(forward)
    else:
        engine = DeviceModel(ours, device, precision=args.precision)
        engine.warm_up(images)
    with torch.inference_mode():
        found = engine(images)
    facts["largest_difference_from_plain"] = float((found - plain).abs().max())
    facts["classes_as_plain"] = float((found.argmax(1) == plain.argmax(1)).float().mean())
    mean = expected.mean(0) if expected.ndim == 3 else expected
    facts["classes_as_stock"] = float((found.argmax(1) == mean.argmax(1)).float().mean())
    stock.to(device)
    facts["backend"] = neuron_of_spikingjelly(device)
    there = images.to(device)
    ways: dict[str, Callable[[], Any]] = {
        "stock": lambda: stock_way(stock, images.to(device)),
        "engine": lambda: engine(images),
        "limit": limit,
    }
    if device.type != "cpu":  # on a CPU it is the only one
        fast = stock.to(memory_format=torch.channels_last)
        ways["backend"] = lambda: stock_way(fast, there)
    return ways, facts


def measure(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Every way in turn, several times."""
    ways, facts = ways_for(name, args)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for call in ways.values():
        seconds(call)
    for _ in range(args.rounds):
        for way, call in ways.items():
            times[way].append(seconds(call))
    medians = {way: statistics.median(values) for way, values in times.items()}
    medians.setdefault("backend", medians["stock"])
    return {
        **facts,
        "images_per_second": {way: facts["batch"] / medians[way] for way in WAYS},
        "spread": {way: max(values) / min(values) for way, values in times.items()},
    }


def answer_once(name: str, way: str, batch: int) -> None:
    """In a process of its own: load, answer one batch by one way, and print the peak."""
    stock, images = zoo_model(name), images_for(name, batch)
    # The statistics of random images took memory, too: the peak begins anew.
    forget_peak()
    with torch.inference_mode():
        if way == "stock":
            stock_way(stock, images)
        else:
            model = from_spikingjelly(stock, image_size=(images.shape[-2], images.shape[-1])).eval()
            del stock
            asked(forward_of(model, tuple(images.shape)))(images)
    print(resident("VmHWM"))


def peak(name: str, way: str, batch: int) -> int:
    """Largest resident set, in bytes, of a process that answers a batch."""
    command = [sys.executable, __file__, "--once", name, "--way", way, "--batch", str(batch)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])


def print_layers(args: argparse.Namespace) -> None:
    """The engine's time by layer, of every model; directories are asked for test images of the demo's data."""
    found = {}
    for name in args.models.split(","):
        images = images_for(name, args.batch or (4 if name in MODELS[1:] else 64))
        size = (images.shape[-2], images.shape[-1])
        model = from_spikingjelly(zoo_model(name), image_size=size) if name in MODELS else load_model(name)
        times = layer_times(model.eval(), images, args.rounds)
        print(f"{name}, {len(images)} images of {size[0]}x{size[1]}, one thread\n{layer_table(times)}\n", flush=True)
        found[name] = [asdict(line) for line in times]
    if args.json:
        args.json.write_text(json.dumps({"layers": found, "machine": machine()}, indent=1) + "\n")


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", metavar="A,B", default=",".join(MODELS), help="default: %(default)s")
    parser.add_argument("--batch", metavar="N", type=int, help="images at a time (default: 64 of the demo's, 4 others)")
    add_options(parser, quick="two rounds instead of seven")
    parser.add_argument("--layers", action="store_true", help="the engine's time by layer; no ratios")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="on CUDA")
    parser.add_argument("--once", choices=MODELS, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.rounds = 2 if args.quick else 7
    if args.layers:
        print_layers(args)
        return
    if args.once:
        answer_once(args.once, args.way, args.batch)
        return
    found: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for name in args.models.split(","):
        print(f"{name} ...", file=sys.stderr, flush=True)
        found[name] = figures = measure(name, args)
        speed = figures["images_per_second"]
        ratios[f"{name}_vs_stock"] = speed["engine"] / speed["stock"]
        ratios[f"{name}_vs_backend"] = speed["engine"] / speed["backend"]
        ratios[f"{name}_limit_over_engine"] = speed["limit"] / speed["engine"]
        if args.device == "cpu":
            figures["peak_bytes"] = {way: peak(name, way, figures["batch"]) for way in ("stock", "engine")}
            ratios[f"{name}_peak_memory_of_stock"] = figures["peak_bytes"]["engine"] / figures["peak_bytes"]["stock"]
    print(table(found, ratios))
    # Of limit and memory the smaller is the better.
    better = {name: ratio for name, ratio in ratios.items() if name.endswith(("_vs_stock", "_vs_backend"))}
    surroundings = machine(torch.device(args.device))
    settle(args, "inference", better, {"ratios": ratios, "goals": GOALS, "models": found, "machine": surroundings})


def table(found: dict[str, Any], ratios: dict[str, float]) -> str:
    """What a person reads."""
    lines = [f"{'model':<18}{'batch':>6}{'firing':>8}" + "".join(f"{way:>10}" for way in WAYS) + "   images/s"]
    for name, figures in found.items():
        speed = figures["images_per_second"]
        lines.append(
            f"{name:<18}{figures['batch']:>6}{figures['firing_rate']:>8.1%}"
            + "".join(f"{speed[way]:>10.1f}" for way in WAYS)
        )
        lines.append(
            f"    neurons of SpikingJelly here: {figures['backend']}; engine: {figures.get('engine', 'CUDA')}, logits "
            f"differ from the plain pass by at most {figures['largest_difference_from_plain']:.1e}"
        )
    lines.append(f"\n{'ratio':<40}{'measured':>10}{'goal':>10}")
    for key, value in ratios.items():
        most = key.endswith(("limit_over_engine", "peak_memory_of_stock"))
        goal = GOALS.get(key, 1.0 if key.endswith("peak_memory_of_stock") else None)
        said = "" if goal is None else f"{'<=' if most else '>='} {goal:.1f}"
        missed = goal is not None and (value > goal if most else value < goal)
        lines.append(f"{key:<40}{value:>10.2f}{said:>10}{'   missed' if missed else ''}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
