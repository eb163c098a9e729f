"""Where a model runs: the device that a user names, and how tensors and modules get there and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn

from ..errors import PrimeSVTError

# Arithmetic of the convolutions and matrix products. On CUDA neurons integrate in float32 either way; on the CPU they
# integrate in what they are given.
Precision = Literal["float32", "bfloat16"]
CPU = torch.device("cpu")


def find_device(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda`` (the first one), ``cuda:N``, or ``auto``: a CUDA device where there is one.

    Raises:
        PrimeSVTError: The name is none of these, or there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() and not torch.version.hip else "cpu"
    kind, _, number = name.partition(":")
    if name == "cpu":
        return CPU
    if kind != "cuda" or not (number.isdecimal() or name == "cuda"):
        raise PrimeSVTError(f"Unknown device {name[:60]!r}; known are cpu, cuda, cuda:N with a number N, and auto.")
    if torch.version.hip:
        raise PrimeSVTError(f"Cannot use {name}: SpikingJelly's neurons run on NVIDIA's devices only. Use cpu.")
    if not torch.cuda.is_available():
        reason = "sees no CUDA device or no driver for it" if torch.version.cuda else "is built without CUDA"
        raise PrimeSVTError(f"Cannot use {name}: this PyTorch, {torch.__version__}, {reason}. Use cpu.")
    if int(number or 0) >= torch.cuda.device_count():
        raise PrimeSVTError(f"Cannot use {name}: there are {torch.cuda.device_count()} CUDA devices, numbered from 0.")
    return torch.device("cuda", int(number or 0))


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor to a device, to a CUDA device by way of pinned memory, without waiting for the end of it."""
    if tensor.device == device:
        return tensor
    pinned = tensor.pin_memory() if device.type == "cuda" and tensor.device == CPU else tensor
    return pinned.to(device, non_blocking=True)


def to_cpu(value: Any) -> Any:
    """A tensor, or dictionaries and lists of tensors, with every tensor on the CPU; what is there is not copied."""
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: to_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_cpu(item) for item in value]
    return value


@contextmanager
def placed(device: torch.device, *modules: nn.Module | None) -> Iterator[None]:
    """Keep modules on a device, and bring them back to the CPU in the end."""
    present = [module for module in modules if module is not None]
    try:
        for module in present:
            module.to(device)
        yield
    finally:
        for module in present:
            module.to(CPU)
