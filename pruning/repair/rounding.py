"""What repair finds, in so few bits that it is the same on every processor.

Linear algebra adds up in an order that depends on the processor. In float64 what comes of it differs by 1e-16 to 1e-10;
a pass of the images in float32 would differ by some spikes, and what is fitted to them by much more. Without the last
:data:`SPARE` bits of float32 it is nearly always the same number, so that a repaired plan answers alike everywhere, and
a study of repaired plans has the same trials. A weight is moved by 2e-5 of itself at most, which is less than it is
uncertain by.
"""

import math

import torch

SPARE = 8
# What tells a plan that was repaired so from one that an earlier version repaired: the same plan has other weights.
ARITHMETIC = f"float64, {SPARE} bits less"


def rounded(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The nearest numbers whose last :data:`SPARE` bits are zero, float64.

    Args:
        tensor: Floating-point numbers.
        dtype: What they will be stored in.
    """
    steps = 2 ** (round(-math.log2(torch.finfo(dtype).eps)) + 1 - SPARE)
    mantissa, exponent = torch.frexp(tensor.double())
    return torch.ldexp((mantissa * steps).round() / steps, exponent)
