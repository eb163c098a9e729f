"""What answers for models: the engine of the CPU, or PyTorch on a device, and in which arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self, get_args

import torch
from torch import nn

from ..errors import PrimeSVTError
from .device import CPU, Precision, find_device
from .device_model import device_model, exact
from .forward import DirectForward, Forward, forward_of


@dataclass(frozen=True)
class Backend:
    """Where models are asked, and how.

    Args:
        device: Where PyTorch computes.
        precision: Of convolutions and matrix products, see :class:`~primesvt.models.DeviceModel`.
        engine: Whether the engine of the CPU may answer, which it does in float32 on the CPU alone.

    Raises:
        PrimeSVTError: There is no such precision.
    """

    device: torch.device = CPU
    precision: Precision = "float32"
    engine: bool = True

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            raise PrimeSVTError(f"precision must be one of {', '.join(get_args(Precision))}, got {self.precision!r}.")
        object.__setattr__(self, "engine", self.engine and (self.device, self.precision) == (CPU, "float32"))

    @classmethod
    def named(cls, device: str | None = None, precision: Precision = "float32") -> Self:
        """By names, as a command line has them.

        Args:
            device: As of :func:`~primesvt.models.find_device`; ``cpu`` is PyTorch on the CPU. None is the engine, and
                so is ``auto`` where there is no CUDA device.
            precision: The precision.

        Raises:
            PrimeSVTError: There is no such device or precision.
        """
        found = CPU if device is None else find_device(device)
        return cls(found, precision, engine=device is None or (device == "auto" and found == CPU))

    @property
    def kind(self) -> str:
        """Whose answers are taken to be the same: ``cpu`` is the engine, ``torch`` PyTorch for it; or ``cuda``."""
        return "torch" if (self.device, self.precision, self.engine) == (CPU, "float32", False) else self.device.type

    @property
    def text(self) -> str:
        """For a person; empty for what has always been there, the engine of the CPU."""
        return "" if (self.kind, self.precision) == ("cpu", "float32") else f"{self.kind} {self.precision}"

    @property
    def reason(self) -> str:
        """Why PyTorch answers and not the engine."""
        return f"it is asked on {self.device} in {self.precision}"

    def prepared(self, model: nn.Module) -> nn.Module:
        """What is asked for a model: itself on the CPU in float32, or else one that is prepared for the device."""
        return device_model(model, self.device, self.precision)

    def forward(self, model: nn.Module, shape: tuple[int, ...]) -> Forward:
        """The way to ask one model alone.

        Args:
            model: Any model of PrimeSVT, in evaluation mode.
            shape: Of the images; their number does not matter.

        Raises:
            PrimeSVTError: It is a module of another kind.
        """
        return forward_of(model, shape) if self.engine else DirectForward(self.prepared(model), self.reason)

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Float32 that is float32, and the same answer twice.

        Raises:
            PrimeSVTError: The device has no memory left.
        """
        try:
            with exact(self.device):
                yield
        except torch.OutOfMemoryError as error:
            raise PrimeSVTError(
                f"{self.device} has no memory left: {str(error).splitlines()[0][:200]} Give less to shared "
                "activations (--cache), or take another device."
            ) from error
