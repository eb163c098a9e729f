"""A model prepared for inference on a device, above all on a CUDA device.

What is done to it: BatchNorm is folded into the convolutions; weights and activations are laid out with their channels
last, as tensor cores want them; the neurons run SpikingJelly's fused kernels (see
:mod:`~primesvt.models.layers.neuron`); in bfloat16, the convolutions and matrix products run under autocast, while the
classifier multiplies, and on CUDA neurons integrate, in float32; and on CUDA, a batch of a shape that came before is
replayed as a CUDA graph, so that the CPU starts one thing instead of hundreds of kernels.

``float32`` means just that: TensorFloat-32, which PyTorch allows in convolutions by default, is off here, and cuDNN
takes deterministic algorithms only, so that a model answers twice the same.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import PrimeSVTError
from ..families.registry import config_of
from ..layers.folding import fold, replaced
from .device import CPU, Precision, to_cpu, to_device

# `graph` pays nearly always. `compile` fuses more, but takes a minute for every model and every shape of a batch.
Execution = Literal["eager", "graph", "compile"]
_Kind = tuple[torch.Size, torch.dtype]


class DeviceModel(nn.Module):
    """Reads images on the CPU, answers on the CPU, and computes on a device; :func:`predict` takes it for a model.

    Args:
        model: Any model of PrimeSVT; it is copied.
        device: Where to compute.
        precision: Of the convolutions and matrix products.
        execution: How the kernels are started: one by one, as a CUDA graph for every shape of batch that comes again,
            or compiled by Inductor for the shape that comes first. By default as a graph on CUDA, one by one elsewhere.

    Raises:
        PrimeSVTError: The module is no model of PrimeSVT, or a CUDA graph is asked for elsewhere than on CUDA.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        *,
        precision: Precision = "float32",
        execution: Execution | None = None,
    ) -> None:
        super().__init__()
        if precision not in get_args(Precision):
            raise PrimeSVTError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}.")
        if execution not in (None, *get_args(Execution)) or (execution == "graph" and device.type != "cuda"):
            raise PrimeSVTError(f"execution must be eager, compile or, on CUDA, graph; got {execution!r} on {device}.")
        self.config = config_of(model)
        self.device = device
        self.precision = precision
        self.execution = execution or ("graph" if device.type == "cuda" else "eager")
        classes = len(self.config.classes)
        prepared = replaced(fold(model, device), lambda module: _exact_head(module, classes))
        self.model = prepared.requires_grad_(False).to(memory_format=torch.channels_last)
        if self.execution == "compile":
            self.model.compile(dynamic=False, mode="reduce-overhead" if device.type == "cuda" else "default")
        # The shape that is compiled; any other one runs kernel by kernel.
        self._compiled_for: torch.Size | None = None
        self._seen: set[_Kind] = set()
        self._graphs: dict[_Kind, CudaGraph | None] = {}
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``[N, classes]`` of images ``[N, C, H, W]`` or event sequences ``[T, N, C, H, W]``, all on the CPU."""
        with torch.inference_mode(), exact(self.device):
            batch = self.placed(images)
            kind = batch.shape, batch.dtype
            # The first batch of a shape is its warm-up; a last, smaller one stays the only one of its shape.
            if self.execution == "graph" and kind in self._seen and kind not in self._graphs:
                self._graphs[kind] = _captured(self._logits, batch)
            self._seen.add(kind)
            graph = self._graphs.get(kind)
            return to_cpu(self._logits(batch) if graph is None else graph(batch))  # type: ignore[no-any-return]

    def warm_up(self, images: torch.Tensor) -> None:
        """Compile and capture what a batch of this shape needs, so that the next one is as fast as all later ones."""
        for _ in range(3):
            self(images)

    def placed(self, images: torch.Tensor) -> torch.Tensor:
        """Images on the device, laid out as the model reads them."""
        batch = to_device(images, self.device)
        return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch

    def narrowed(self) -> AbstractContextManager[None]:
        """What the model, or a part of it, runs in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def _logits(self, batch: torch.Tensor) -> torch.Tensor:
        self._compiled_for = self._compiled_for or batch.shape
        model = self.model if batch.shape == self._compiled_for else self.model.forward
        with self.narrowed():
            logits: torch.Tensor = model(batch)
        return logits


class CudaGraph:
    """A function of one tensor, captured for one shape; what it returns is overwritten by the next call.

    Args:
        function: What to capture; it has run for this shape before.
        batch: A tensor of the shape, on the current CUDA device.
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor) -> None:
        self._batch = batch.clone()
        self._graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        # A capture that fails does not bring back the stream that was current before; the outer context does.
        with torch.cuda.stream(stream):
            # Libraries set themselves up on the stream that is captured, as PyTorch's notes on CUDA graphs ask for.
            function(self._batch)
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._answer = function(self._batch)
        torch.cuda.current_stream().wait_stream(stream)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """What the function returns for another batch of the shape."""
        self._batch.copy_(batch)
        self._graph.replay()
        return self._answer


def device_model(model: nn.Module, device: torch.device, precision: Precision = "float32") -> nn.Module:
    """The model itself for the CPU in float32, or else one that is prepared for the device."""
    return model if (device, precision) == (CPU, "float32") else DeviceModel(model, device, precision=precision)


class _ExactLinear(nn.Module):
    """A linear layer in the precision of its weights, whatever autocast is on."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[..., C]`` to ``[..., C']``."""
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.to(self.linear.weight.dtype), self.linear.weight, self.linear.bias)


def _exact_head(module: nn.Module, classes: int) -> nn.Module | None:
    """Logits in bfloat16 would tie: it has 8 bits, and images are told apart by less than that."""
    return _ExactLinear(module) if isinstance(module, nn.Linear) and module.out_features == classes else None


def _captured(function: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor) -> CudaGraph | None:
    try:
        return CudaGraph(function, batch)
    except RuntimeError as error:  # A family of another package may do what cannot be captured.
        warnings.warn(f"Without CUDA graphs, as this model cannot be captured: {error}", stacklevel=2)
        return None


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Float32 that is float32, and the same answer twice, on a CUDA device, which becomes the current one."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield
