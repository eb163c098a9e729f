"""What flows between the layers where PyTorch computes them: tensors on its device, and how they are kept there."""

from dataclasses import dataclass

import torch

from .activations import BYTE, byte_count


@dataclass(frozen=True)
class Placed:
    """A tensor as PyTorch's modules read and write it, on any device.

    Args:
        tensor: Of any shape.
        spiking: Whether it is spikes, 0 or 1, which are kept as bits.
    """

    tensor: torch.Tensor
    spiking: bool = False

    def rows(self) -> torch.Tensor | None:
        """A tensor with the images along its second dimension; None where they are not, or all time steps are one.

        Of spikes ``[T, N, C, H, W]``, eight channels to a byte, uint8 ``[T, N, ceil(C / 8), H, W]``.
        """
        x = self.tensor
        if x.ndim != 5 or (x.stride(0) == 0 and x.shape[0] > 1):
            return None
        if not self.spiking:
            return x
        missing = byte_count(x.shape[2]) * BYTE - x.shape[2]
        bits = torch.nn.functional.pad(x.to(torch.uint8), (0, 0, 0, 0, 0, missing)).unflatten(2, (-1, BYTE))
        packed: torch.Tensor = (bits << _places(x.device)).sum(3, dtype=torch.uint8)
        return packed

    @property
    def form(self) -> "Form":
        """What makes others of its kind."""
        x = self.tensor
        last = not x.is_contiguous() and x.movedim(2, -1).is_contiguous()
        return Form(x.shape[2], x.dtype, self.spiking, last)


@dataclass(frozen=True)
class Form:
    """What is known of a :class:`Placed` beside its numbers.

    Args:
        channels: C.
        dtype: Of the tensor.
        spiking: Whether it is spikes.
        last: Whether its channels lie side by side in memory.
    """

    channels: int
    dtype: torch.dtype
    spiking: bool
    last: bool

    def with_rows(self, rows: torch.Tensor) -> Placed:
        """Of images whose rows these are, laid out in memory as the first ones were."""
        x = rows
        if self.spiking:
            bits = (rows.unsqueeze(3) >> _places(rows.device)) & 1
            x = bits.flatten(2, 3)[:, :, : self.channels].to(self.dtype)
        if self.last:
            frames = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            return Placed(frames.unflatten(0, x.shape[:2]), self.spiking)
        return Placed(x.contiguous(), self.spiking)


def _places(device: torch.device) -> torch.Tensor:
    """By how much each bit of a byte is shifted, to be broadcast over ``[8, H, W]``."""
    return torch.arange(BYTE, dtype=torch.uint8, device=device).view(-1, 1, 1)
