"""The engine: a model's answers, the same bit for bit on every processor, and fast.

Its sums are added up in the order of :mod:`.spike_conv`, those of PyTorch in one that depends on the processor. So the
plain forward pass has the same answers within rounding, where a potential that is that close to its threshold may fire
in one of them alone.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from .activations import Frames, Plain, Spikes
from .filters import Filters
from .fusion import FusionGroup, fusion_groups, steps_of
from .graph import interpret, trace
from .left_out import LeftOut, left_out
from .operators import Layer, layer_of, neuron_of
from .spike_conv import Neuron, SpikeConv
from .weighted import sequence_of

Values = dict[fx.Node, Any]
Seen = Mapping[fx.Node, Any]


class Program:
    """The steps of a forward pass; it holds no weights, and serves all pruned versions of a model.

    Args:
        model: The model.
        shape: Of the images; their number does not matter.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        modules = dict(model.named_modules())
        self.graph = trace(model, shape)
        self.steps = fusion_groups(self.graph, modules)
        self.left_out: tuple[LeftOut, ...] = left_out(self.graph, modules)
        self.images, *_ = self.graph.nodes
        (self.result,) = self.graph.output_node().all_input_nodes

    @cached_property
    def live(self) -> tuple[tuple[fx.Node, ...], ...]:
        """What must be known before each step, and after the last one."""
        needed: dict[fx.Node, None] = {self.result: None}
        found = [tuple(needed)]
        for step in reversed(self.steps):
            for node in step.nodes:
                needed.pop(node, None)
            needed |= dict.fromkeys(step.reads)
            found.append(tuple(needed))
        return tuple(reversed(found))


class Engine:
    """A program with the weights of one model.

    Args:
        program: The steps.
        model: The model, or a pruned version of the one that the program was made from; in evaluation mode, float32, on
            the CPU.
    """

    def __init__(self, program: Program, model: nn.Module) -> None:
        self.program = program
        self._modules: Mapping[str, Any] = dict(model.named_modules())
        self._convs: dict[FusionGroup, SpikeConv] = {}
        self._layers: dict[fx.Node, Layer | None] = {}

    def __call__(self, images: torch.Tensor, before: Callable[[int, Seen], None] = lambda *_: None) -> torch.Tensor:
        """Logits ``[N, classes]`` of images.

        Args:
            images: ``[N, C, H, W]``, or event sequences ``[T, N, C, H, W]``.
            before: Called before every step with its number and all that it may read.
        """
        with self.running():
            values = self.begin(images)
            for number in range(len(self.program.steps)):
                before(number, self.seen(values))
                self.step(values, number)
            return self.logits(values)

    def running(self) -> AbstractContextManager[None]:
        """What steps are run in."""
        return nullcontext()

    @property
    def reason(self) -> str | None:
        """Why it is not the engine that answers: it is."""
        return None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What PyTorch computes nevertheless, in an order of its own."""
        return self.program.left_out

    def begin(self, images: torch.Tensor) -> Values:
        """What is known before the first step.

        Args:
            images: As of a call.
        """
        return {self.program.images: Plain(images)}

    def logits(self, values: Values) -> torch.Tensor:
        """The answers, on the CPU, of what is known after the last step."""
        return values[self.program.result].plain()  # type: ignore[no-any-return]

    def seen(self, values: Values) -> Seen:
        """What a step is about to read, as those see it who count spikes: activations on the CPU."""
        return values

    def way(self, values: Values, number: int) -> str:
        """How a step is about to be computed, for a person: ``sparse`` or ``dense``, otherwise, or by ``PyTorch``."""
        step = self.program.steps[number]
        if step.branches:
            return self._conv(step).way(sequence_of(values[step.branches[0].source]))
        return "engine" if all(self._layer(node) is not None for node in step.nodes) else "PyTorch"

    @torch.inference_mode()
    def step(self, values: Values, number: int) -> None:
        """Run one step, and forget what no later one needs."""
        step = self.program.steps[number]
        if not (step.branches and self._convolve(step, values)):
            for node in step.nodes:
                values[node] = self._node(node, values)
        self._forget(values, number)

    def _forget(self, values: Values, number: int) -> None:
        """Drop what no step after this one needs."""
        needed = set(self.program.live[number + 1])
        for node in [node for node in values if node not in needed]:
            del values[node]

    def _node(self, node: fx.Node, values: Values) -> Any:
        def known(argument: fx.Node) -> Any:
            return values[argument]

        arguments, keywords = fx.map_arg(node.args, known), fx.map_arg(node.kwargs, known)
        layer = self._layer(node)
        if layer is not None and (result := layer(arguments, keywords)) is not None:
            return result
        plain = tuple(_plain(a) for a in arguments), {k: _plain(v) for k, v in keywords.items()}
        value = interpret(node, *plain, self._modules)
        return Plain(value) if isinstance(value, torch.Tensor) else value

    def _layer(self, node: fx.Node) -> Layer | None:
        if node not in self._layers:
            self._layers[node] = layer_of(node, self._modules)
        return self._layers[node]

    def _convolve(self, step: FusionGroup, values: Values) -> bool:
        """Compute a step by one kernel; False where one frame serves several time steps of what is to be added."""
        first, *_ = step.branches
        x, conv = sequence_of(values[first.source]), self._conv(step)
        fire = None if first.fire is None else self._neuron(first.fire)
        if first.add is not None and first.stream is not None:
            stream, index = values[first.stream].frames(), self._modules[str(first.add.target)].channels
            if x.shape[0] != stream.shape[0]:
                return False
            channels = None if index is None else index.numpy().astype(np.int64)
            if fire is not None:
                values[first.add] = conv.add_spikes(x, stream, channels, fire)
            else:
                reader = self._neuron(first.readers[0]) if first.readers else None
                values[first.add], spikes = conv.add_frames(x, stream, channels, reader)
                values |= dict.fromkeys(first.readers, spikes)
        elif first.fire is not None and fire is not None:
            fired = conv.spikes(x, fire, steps_of(first.fire))
            values |= {branch.nodes[-1]: spikes for branch, spikes in zip(step.branches, fired, strict=True)}
        else:
            values[first.conv] = conv.frames(x)
        return True

    def _neuron(self, node: fx.Node) -> Neuron:
        return neuron_of(self._modules[str(node.target)])

    def _conv(self, step: FusionGroup) -> SpikeConv:
        if step not in self._convs:
            layers = [self._modules[str(branch.conv.target)] for branch in step.branches]
            self._convs[step] = SpikeConv([Filters.of(layer.conv, layer.bn) for layer in layers])
        return self._convs[step]


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Spikes | Frames | Plain) else value
