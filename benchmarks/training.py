"""How many images a second a training step takes in, here and in SpikingJelly.

A *step* is forward pass, cross-entropy, backward pass and AdamW. The contestants start from the same weights, share one
process and its settings, and step in turn; what counts is the median.

* ``stock``: the Spike-driven Transformer of SpikingJelly's zoo as it comes, ``reset_net`` before every step.
* ``tuned``: the same with what a user can do for it. SpikingJelly 2 chooses the implementation of its neurons by the
  device and has no other backend on the CPU, so that is: neurons whose gradient takes less work (ATan, detached reset:
  those of PrimeSVT), and channels last.
* ``ours``: the same model by ``primesvt.models.from_spikingjelly``.
* ``limit``: the convolutions and matrix products of the step alone, dense, forward and backward, each in the memory
  format that is the fastest for it. What no implementation undercuts that multiplies by zeros, too.

    python benchmarks/training.py [--quick] [--device cuda] [--json FILE] [--keep]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from kept import add_options, machine, settle
from spikingjelly.activation_based import functional, surrogate
from spikingjelly.activation_based.model import SpikeDrivenTransformer
from torch import nn
from torch.nn import functional as F

from primesvt.models import Recipe, from_spikingjelly
from primesvt.models.training.loop import optimizer_of
from primesvt.studies.running.process import keep_freed_memory

# Goal of the project, as a ratio of images per second.
GOALS = {"demo_vs_stock": 2.5}
ROUNDS, QUICK_ROUNDS = 25, 3
# Steps that are not counted: kernels are compiled, memory is fetched.
WARM_UP = 2
Action = Callable[[], Any]


@dataclass(frozen=True)
class Size:
    """A model and what it is trained with."""

    channels: int
    width: int
    depth: int
    pooling: str
    side: int
    batch: int

    def zoo(self, **neuron: Any) -> nn.Module:
        """SpikingJelly's model, with the same random weights every time."""
        torch.manual_seed(0)
        model: nn.Module = SpikeDrivenTransformer(
            T=4,
            in_channels=self.channels,
            num_classes=10,
            embed_dims=self.width,
            num_heads=8,
            depths=self.depth,
            pooling_stat=self.pooling,
            **neuron,
        )
        return model.train()

    def images(self) -> torch.Tensor:
        """Noise."""
        return torch.randn(self.batch, self.channels, self.side, self.side)


# The demo model, and one with 16 times its tokens.
SIZES = {
    "demo": Size(channels=1, width=128, depth=2, pooling="1101", side=28, batch=64),
    "large": Size(channels=3, width=192, depth=4, pooling="1110", side=64, batch=8),
}


def step(model: nn.Module, images: torch.Tensor) -> Action:
    """A training step as PrimeSVT's training does it."""
    recipe = Recipe()
    optimizer = optimizer_of(model, recipe)
    labels = torch.arange(len(images), device=images.device) % 10
    neurons_remember = isinstance(model, SpikeDrivenTransformer)

    def run() -> float:
        if neurons_remember:
            functional.reset_net(model)
        loss = F.cross_entropy(model(images), labels, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return run


def dense(layer: nn.Conv2d | nn.Linear, shape: torch.Size, *, first: bool) -> Action:
    """A layer alone, forward and backward, in the fastest of the ways to compute it."""
    x = (torch.rand(shape, device=layer.weight.device) < 0.2).float()
    if isinstance(layer, nn.Linear):
        return _differentiated(lambda x, w: F.linear(x, w), x, layer.weight, first=first)

    def convolution(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, w, stride=layer.stride, padding=layer.padding, groups=layer.groups)

    ways = [
        _differentiated(convolution, x.contiguous(memory_format=order), layer.weight, first=first)
        for order in (torch.contiguous_format, torch.channels_last)
    ]
    if layer.kernel_size == (1, 1):
        pixels = x.movedim(1, -1).flatten(0, 2)
        ways.append(_differentiated(F.linear, pixels, layer.weight.flatten(1), first=first))
    seconds = race(dict(enumerate(ways)), QUICK_ROUNDS, layer.weight.device)
    fastest: Action = ways[min(seconds, key=seconds.__getitem__)]
    return fastest


def _differentiated(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], x: torch.Tensor, w: torch.Tensor, *, first: bool
) -> Action:
    """The first layer's input needs no gradient."""
    inputs = [x.detach().requires_grad_(not first), w.detach().requires_grad_()]
    grad = torch.randn_like(function(*inputs))
    return lambda: torch.autograd.grad(function(*inputs), inputs[first:], grad)


def limit(model: nn.Module, images: torch.Tensor) -> Action:
    """Convolutions and matrix products alone, on tensors of the shapes that they have in the model."""
    shapes: list[tuple[nn.Conv2d | nn.Linear, torch.Size]] = []
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [
        layer.register_forward_pre_hook(lambda layer, inputs: shapes.append((layer, inputs[0].shape)))
        for layer in layers
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    actions = [dense(layer, shape, first=not number) for number, (layer, shape) in enumerate(shapes)]

    def run() -> None:
        for action in actions:
            action()

    return run


def race(actions: Mapping[Any, Action], rounds: int, device: torch.device) -> dict[Any, float]:
    """The median seconds of each, all of them in turn."""
    seconds: dict[Any, list[float]] = {name: [] for name in actions}
    for _ in range(WARM_UP + rounds):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(each[WARM_UP:]) for name, each in seconds.items()}


def measure(size: Size, rounds: int, device: torch.device) -> dict[str, float]:
    """Images per second of every contestant."""
    images, stock = size.images().to(device), size.zoo()
    ours = from_spikingjelly(stock, image_size=(size.side, size.side)).to(device).train()
    tuned = size.zoo(surrogate_function=surrogate.ATan(), detach_reset=True)
    actions = {
        "stock": step(stock.to(device), images),
        "tuned": step(tuned.to(device).to(memory_format=torch.channels_last), images),
        "ours": step(ours, images),
        "limit": limit(ours, images),
    }
    return {name: size.batch / seconds for name, seconds in race(actions, rounds, device).items()}


def main() -> None:
    """Measure, print a table, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, quick="fewer repetitions")
    parser.add_argument("--device", default="cpu", type=torch.device, help="cpu (default) or cuda")
    args = parser.parse_args()
    surroundings = machine(args.device)
    # As the command line does it, for all contestants.
    keep_freed_memory()
    rounds = QUICK_ROUNDS if args.quick else ROUNDS
    speeds = {name: measure(size, rounds, args.device) for name, size in SIZES.items()}
    ratios = {
        f"{name}_vs_{other}": speed["ours"] / speed[other]
        for name, speed in speeds.items()
        for other in ("stock", "tuned", "limit")
    }
    print(f"{'model':<8}{'contestant':<12}{'ms per step':>12}{'images/s':>10}{'ours against it':>17}")
    for name, speed in speeds.items():
        for contestant, value in speed.items():
            ratio = "" if contestant == "ours" else f"{speed['ours'] / value:.2f}"
            print(f"{name:<8}{contestant:<12}{1000 * SIZES[name].batch / value:>12.1f}{value:>10.1f}{ratio:>17}")
    for key, goal in GOALS.items():
        name = key.partition("_")[0]
        print(f"\n{key}: {ratios[key]:.2f}, goal {goal}: {'met' if ratios[key] >= goal else 'missed'}")
        print(f"The limit against stock: {speeds[name]['limit'] / speeds[name]['stock']:.2f}")
    figures = {"ratios": ratios, "goals": GOALS, "images_per_second": speeds, "machine": surroundings}
    settle(args, "training", ratios, figures)


if __name__ == "__main__":
    main()
