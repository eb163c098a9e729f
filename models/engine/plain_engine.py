"""The steps of a model run by PyTorch, one by one, on any device: what the engine is not there for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import fx, nn

from ..layers.neuron import LIFNode
from .activations import Plain
from .backend import Backend
from .device_model import DeviceModel
from .graph import interpret
from .left_out import LeftOut
from .placed import Placed
from .program import Engine, Program, Seen, Values


class PlainEngine(Engine):
    """A program with the weights of one model, as PyTorch runs it; on the CPU in float32, bit for bit as the model.

    Args:
        program: The steps, in whose graph a module is named as in the model that is prepared for the device.
        model: The model, or a pruned version of the one that the program was made from; in evaluation mode, on the CPU.
        backend: Where, and in which precision.
    """

    def __init__(self, program: Program, model: nn.Module, backend: Backend) -> None:
        prepared = backend.prepared(model)
        self._device_model = prepared if isinstance(prepared, DeviceModel) else None
        super().__init__(program, model if self._device_model is None else self._device_model.model)
        self._backend = backend

    def begin(self, images: torch.Tensor) -> Values:
        """What is known before the first step: the images, on the device."""
        placed = images if self._device_model is None else self._device_model.placed(images)
        return {self.program.images: Placed(placed)}

    def logits(self, values: Values) -> torch.Tensor:
        """The answers, on the CPU, of what is known after the last step."""
        logits: torch.Tensor = values[self.program.result].tensor.cpu()
        return logits

    def seen(self, values: Values) -> Seen:
        """What a step is about to read, brought to the CPU when it is asked for."""
        return _OnCpu(values)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The device and its precision."""
        narrowed = nullcontext() if self._device_model is None else self._device_model.narrowed()
        with torch.inference_mode(), self._backend.exact(), narrowed:
            yield

    @property
    def reason(self) -> str:
        """Why it is PyTorch that answers."""
        return self._backend.reason

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Nothing of the engine's: it is PyTorch all along."""
        return ()

    def step(self, values: Values, number: int) -> None:
        """Run one step, and forget what no later one needs."""
        for node in self.program.steps[number].nodes:

            def known(argument: fx.Node) -> Any:
                return _bare(values[argument])

            value = interpret(node, fx.map_arg(node.args, known), fx.map_arg(node.kwargs, known), self._modules)
            fires = node.op == "call_module" and isinstance(self._modules[str(node.target)], LIFNode)
            values[node] = Placed(value, fires) if isinstance(value, torch.Tensor) else value
        self._forget(values, number)


class _OnCpu(Mapping[fx.Node, Any]):
    """Values of which those that are asked for come to the CPU, in float32."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def __getitem__(self, node: fx.Node) -> Any:
        value = self._values[node]
        return Plain(value.tensor.float().cpu()) if isinstance(value, Placed) else value

    def __iter__(self) -> Iterator[fx.Node]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _bare(value: Any) -> Any:
    return value.tensor if isinstance(value, Placed) else value
