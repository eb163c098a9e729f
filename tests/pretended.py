"""A CUDA device that is not there: tensors say that they are on it, and are computed on the CPU, to real numbers.

What a real one refuses is refused, too: tensors of both devices in one operation, and reading what has not come back
to the CPU. What it cannot tell: kernels of its own, streams, graphs, pinned memory.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from primesvt.models.engine import device_model
from primesvt.models.layers import neuron, stock_neuron

CUDA = torch.device("cuda", 0)
# A CUDA tensor may be indexed by tensors of the CPU, and these bring tensors from one device to the other.
_MIXING = ("aten._to_copy", "aten.copy_", "aten.index.Tensor", "aten.index_put")


class Pretended(torch.Tensor):
    """A tensor on the device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Pretended":
        there: Pretended = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=CUDA,
        )
        there.held = held
        return there

    @classmethod
    def __torch_dispatch__(cls, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(function, args, kwargs or {})

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def tolist(self) -> Any:
        return self.held.tolist()

    def __deepcopy__(self, _memo: Any) -> torch.Tensor:
        copy = Pretended(self.held.detach().clone())
        return torch.nn.Parameter(copy, self.requires_grad) if isinstance(self, torch.nn.Parameter) else copy


class _Mode(TorchDispatchMode):
    """So that tensors can be made on the device, and brought there."""

    def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(function, args, kwargs or {})


def _computed(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    every, _ = tree_flatten((args, kwargs))
    there = [x for x in every if isinstance(x, Pretended)]
    here = [x for x in every if type(x) in (torch.Tensor, torch.nn.Parameter) and x.ndim and x.device.type == "cpu"]
    if there and here and not str(function).startswith(_MIXING):
        raise RuntimeError(f"{function}: expected all tensors to be on the same device, found cuda:0 and cpu")
    device = kwargs.get("device")
    on_device = bool(there) if device is None else torch.device(device).type == "cuda"
    if device is not None and on_device:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if str(function).startswith("aten.copy_"):
        on_device = isinstance(args[0], Pretended)
    held = tree_map_only(Pretended, lambda x: x.held, (args, kwargs))
    found = _KERNELS.get(str(function), function)(*held[0], **held[1])
    if not on_device:
        return found
    same = {id(x.held): x for x in there}
    return tree_map_only(torch.Tensor, lambda x: same.get(id(x)) if id(x) in same else Pretended(x), found)


def _normed(x: torch.Tensor, *more: Any) -> tuple[torch.Tensor, ...]:
    return (*torch.ops.aten.native_batch_norm(x, *more), x.new_empty(0, dtype=torch.uint8))


# What a CPU has under another name.
_KERNELS = {"aten.cudnn_batch_norm.default": _normed}


_SPIKINGJELLYS = stock_neuron.functional.lif_multi_step


def _fused_neuron(x: torch.Tensor, v: torch.Tensor, tau: float, decay: bool, threshold: float, *more: Any) -> Any:
    """Instead of SpikingJelly's kernels, which integrate in float32, too."""
    if not x.is_cuda:
        return _SPIKINGJELLYS(x, v, tau, decay, threshold, *more)
    assert (v.dtype, v.device) == (torch.float32, x.device)
    return neuron._unrolled(x.float(), tau, threshold).to(x.dtype), None, None


class Replayed:
    """Stands for a CUDA graph."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], _batch: torch.Tensor) -> None:
        self._function = function

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        return self._function(batch)


@contextmanager
def pretended_cuda() -> Iterator[torch.device]:
    """The device, for as long as the context lasts."""
    with FakeTensorMode():
        pass  # Where there is no driver, PyTorch learns to do without one for its own imagined devices, and for ours.
    with (
        mock.patch.object(torch.cuda, "_lazy_init", return_value=None),
        mock.patch.object(torch.cuda, "device", return_value=nullcontext()),
        mock.patch.object(torch.cuda, "is_bf16_supported", return_value=True),
        mock.patch.object(torch.cuda.amp.common, "amp_definitely_not_available", return_value=False),
        # Views of a wrapped tensor cannot be made in it.
        mock.patch.object(torch, "inference_mode", torch.no_grad),
        # Otherwise a module keeps its parameters, and would take over memory that is not there.
        mock.patch.object(torch.__future__, "get_overwrite_module_params_on_conversion", return_value=True),
        mock.patch.object(torch.Tensor, "pin_memory", torch.Tensor.detach),
        mock.patch.object(stock_neuron, "_runs_fused", return_value=True),
        mock.patch.object(stock_neuron.functional, "lif_multi_step", _fused_neuron),
        mock.patch.object(device_model, "CudaGraph", Replayed),
        _Mode(),
    ):
        yield CUDA
