"""What flows between the layers of the engine: spikes as bits, or floats with the channels innermost.

Both know how to become what PyTorch's modules read, ``[T, N, C, H, W]`` in float32.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

BYTE = 8
# How many bits of every byte are set.
BIT_COUNTS = np.array([value.bit_count() for value in range(256)], np.uint8)


def byte_count(channels: int) -> int:
    """Bytes that hold one bit per channel."""
    return -(-channels // BYTE)


@dataclass(frozen=True)
class Spikes:
    """Spikes, eight channels to a byte, the first in the lowest bit; bits of no channel are zero.

    Args:
        bits: uint8 ``[T, N, H, W, ceil(C / 8)]``.
        channels: C.
    """

    spiking: ClassVar[bool] = True

    bits: np.ndarray
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """``[T, N, H, W, C]``."""
        return (*self.bits.shape[:-1], self.channels)

    @property
    def density(self) -> float:
        """Fraction of the neurons that fire."""
        return float(np.bitwise_count(self.bits).sum(dtype=np.int64)) / max(1, math.prod(self.shape))

    def rows(self) -> np.ndarray:
        """An array with the images along its second dimension."""
        return self.bits

    @property
    def form(self) -> "Spikes":
        """What makes others of its kind: itself."""
        return self

    def with_rows(self, rows: np.ndarray) -> "Spikes":
        """The same of other images."""
        return Spikes(rows, self.channels)

    def frames(self) -> "Frames":
        """As floats, 0 or 1."""
        unpacked = np.unpackbits(self.bits, axis=-1, count=self.channels, bitorder="little")
        return Frames(unpacked.astype(np.float32))

    def plain(self) -> torch.Tensor:
        """As PyTorch's modules read them."""
        return self.frames().plain()


@dataclass(frozen=True)
class Frames:
    """Floats of every channel: membrane potentials, or counts of spikes.

    Args:
        values: float32 ``[T, N, H, W, C]``.
    """

    spiking: ClassVar[bool] = False

    values: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """``[T, N, H, W, C]``."""
        return self.values.shape

    @property
    def channels(self) -> int:
        """C."""
        return int(self.values.shape[-1])

    @property
    def density(self) -> float:
        """Fraction of the values that are not zero."""
        return np.count_nonzero(self.values) / max(1, self.values.size)

    def rows(self) -> np.ndarray:
        """An array with the images along its second dimension."""
        return self.values

    @property
    def form(self) -> "Frames":
        """What makes others of its kind: itself."""
        return self

    def with_rows(self, rows: np.ndarray) -> "Frames":
        """The same of other images."""
        return Frames(rows)

    def frames(self) -> "Frames":
        """Itself."""
        return self

    def spikes(self) -> Spikes:
        """As bits; of floats that are 0 or 1."""
        return Spikes(np.packbits(self.values != 0, axis=-1, bitorder="little"), self.channels)

    def plain(self) -> torch.Tensor:
        """As PyTorch's modules read them."""
        return torch.from_numpy(self.values).permute(0, 1, 4, 2, 3)


@dataclass(frozen=True)
class Plain:
    """A tensor as PyTorch's modules read and write it, of any shape.

    Args:
        tensor: float32.
    """

    spiking: ClassVar[bool] = False

    tensor: torch.Tensor

    def rows(self) -> np.ndarray | None:
        """An array with the images along its second dimension; None where they are not, or all time steps are one."""
        whole = self.tensor.ndim == 5 and (self.tensor.stride(0) != 0 or self.tensor.shape[0] == 1)
        return self.tensor.numpy() if whole else None

    @property
    def form(self) -> "Plain":
        """What makes others of its kind: itself."""
        return self

    def with_rows(self, rows: np.ndarray) -> "Plain":
        """The same of other images."""
        return Plain(torch.from_numpy(rows))

    def frames(self) -> Frames:
        """With the channels innermost; of ``[T, N, C, H, W]``."""
        return Frames(self.tensor.permute(0, 1, 3, 4, 2).contiguous().numpy())

    def plain(self) -> torch.Tensor:
        """Itself."""
        return self.tensor


Activation = Spikes | Frames | Plain
