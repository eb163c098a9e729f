"""The engine: a model's answers, equal to those of its plain forward pass, as fast as this CPU allows."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ..layers.conv import ConvBN
from ..layers.norm import affine
from .activations import Activation, Frames, Plain, Spikes
from .fusion import FusionGroup, fusion_groups
from .graph import interpret, trace
from .operators import layer_of, neuron_of
from .spike_conv import Neuron, SpikeConv
from .summation import norm_is_fused, order_of

Values = dict[fx.Node, Any]
Seen = Mapping[fx.Node, Any]

# Where more of the input is not zero, PyTorch's dense convolution is faster than ours. Looking a row of weights up
# takes as long as adding so many of its numbers. Both measured, from 16 to 1536 outputs.
_DENSE, _LOOKUP = 0.65, 48


class Program:
    """The steps of a forward pass; it holds no weights, and serves all pruned versions of a model.

    Args:
        model: The model.
        shape: Of the images; their number does not matter.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        self.graph = trace(model, shape)
        self.steps = fusion_groups(self.graph, dict(model.named_modules()))
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
        self._prepared: dict[tuple[Any, ...], SpikeConv | None] = {}

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
        layer = layer_of(node, self._modules)
        if layer is not None:
            module = self._modules.get(str(node.target))
            result = layer(module, arguments, keywords)
            if result is not None:
                return result
        plain = tuple(_plain(a) for a in arguments), {k: _plain(v) for k, v in keywords.items()}
        value = interpret(node, *plain, self._modules)
        return Plain(value) if isinstance(value, torch.Tensor) else value

    def _convolve(self, step: FusionGroup, values: Values) -> bool:
        """Compute a step by our kernel; False where it cannot be exact."""
        first, *_ = step.branches
        x: Activation = values[first.source]
        if isinstance(x, Plain) or (conv := self._conv(step, x)) is None or x.density > _densest(conv):
            return False
        fire = None if first.fire is None else self._neuron(first.fire)
        if first.add is not None and first.stream is not None:
            stream, index = values[first.stream].frames(), self._modules[str(first.add.target)].channels
            channels = None if index is None else index.numpy().astype(np.int64)
            if fire is not None:
                values[first.add] = conv.add_spikes(x, stream, channels, fire)
            else:
                reader = self._neuron(first.readers[0]) if first.readers else None
                values[first.add], spikes = conv.add_frames(x, stream, channels, reader)
                values |= dict.fromkeys(first.readers, spikes)
        elif fire is not None:
            fired = conv.spikes(x, fire)
            values |= {branch.nodes[-1]: spikes for branch, spikes in zip(step.branches, fired, strict=True)}
        else:
            values[first.conv] = conv.frames(x)
        return True

    def _neuron(self, node: fx.Node) -> Neuron:
        return neuron_of(self._modules[str(node.target)])

    def _conv(self, step: FusionGroup, x: Spikes | Frames) -> SpikeConv | None:
        weighted, size = isinstance(x, Frames), x.shape[2:4]
        key = step, weighted, size
        if key not in self._prepared:
            layers: list[ConvBN] = [self._modules[str(branch.conv.target)] for branch in step.branches]
            orders = {order_of(layer.conv, *size, weighted=weighted) for layer in layers}
            fused, order = norm_is_fused(), orders.pop()
            if orders or order is None or fused is None:
                self._prepared[key] = None
            else:
                scales, shifts = zip(*(affine(layer.bn) for layer in layers), strict=True)
                convs: list[nn.Conv2d] = [layer.conv for layer in layers]
                self._prepared[key] = SpikeConv(convs, list(scales), list(shifts), order, fused=fused)
        return self._prepared[key]


def _densest(conv: SpikeConv) -> float:
    outputs = sum(conv.widths)
    return _DENSE * outputs / (outputs + _LOOKUP)


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Spikes | Frames | Plain) else value
