"""Rows of a layer's least-squares problem: what it reads and writes at some positions of some frames.

A convolution is a linear map from the patch that it reads to the pixel that it writes, the same at every position. A
large layer has millions of positions, and a few thousand of them, drawn at random, say the same. They are drawn once
per layer: the rows of two models are of the same images, time steps and pixels.
"""

import zlib

import torch
from torch import nn
from torch.nn import functional as F

# Rows per input of a filter, and their least and largest number. Measured on the demo model: 4,096, 8,192 and 16,384
# rows of layers with 128 to 1,152 inputs differ by up to 7 %, in no one direction in the error that is left.
_PER_INPUT, _FEWEST, _MOST = 16, 4096, 32768


def positions(name: str, images: int, shape: tuple[int, int, int], inputs: int) -> torch.Tensor:
    """Where a layer is looked at: indices into the T * H * W positions of every image, int64 ``[N, r]``.

    Args:
        name: Name of the layer; the draw depends on nothing else, so it is the same in every process.
        images: N.
        shape: T, H and W of its output.
        inputs: What one of its filters reads, channels times pixels.
    """
    total = shape[0] * shape[1] * shape[2]
    wanted = min(max(_PER_INPUT * inputs, _FEWEST), _MOST)
    each = -(-wanted // images)
    if each >= total:
        return torch.arange(total).expand(images, -1)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randint(total, (images, each), generator=generator)


def sampled(frames: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Pixels of ``frames [T, N, C, H, W]`` at ``where [N, r]``, as ``[N, r, C]``."""
    plane = frames.shape[3] * frames.shape[4]
    image = torch.arange(len(where), device=where.device).unsqueeze(1)
    return frames.flatten(3)[where // plane, image, :, where % plane]


def patches(conv: nn.Conv2d, frames: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """What the filters of a convolution read to write at ``where``: ``[groups, N * r, inputs of a filter]``.

    Args:
        conv: The convolution.
        frames: Its input ``[T * N, C, H, W]``, time steps first.
        where: ``[N, r]``, as of :func:`positions`.
    """
    (high, wide), (down, right) = conv.kernel_size, conv.stride
    above, left = (int(side) for side in conv.padding)
    rows, columns = written_size(conv, frames)
    padded = F.pad(frames, (left, left, above, above)) if above or left else frames
    padded = padded.unflatten(0, (-1, len(where)))
    image = torch.arange(len(where), device=where.device).view(-1, 1, 1, 1)
    step, pixel = where // (rows * columns), where % (rows * columns)
    y = (pixel // columns * down)[..., None, None] + torch.arange(high, device=where.device).unsqueeze(1)
    x = (pixel % columns * right)[..., None, None] + torch.arange(wide, device=where.device)
    # [N, r, high, wide, C] to [groups, N * r, C / groups * high * wide], as weights are ordered.
    read: torch.Tensor = padded[step[..., None, None], image, :, y, x].movedim(-1, 2).flatten(0, 1)
    rows_of: torch.Tensor = read.unflatten(1, (conv.groups, -1)).flatten(2).movedim(1, 0)
    return rows_of


def written_size(conv: nn.Conv2d, frames: torch.Tensor) -> tuple[int, int]:
    """Height and width of what a convolution makes of ``frames [B, C, H, W]``."""
    padding = tuple(int(side) for side in conv.padding)
    height, width = (
        (size + 2 * pad - kernel) // step + 1
        for size, pad, kernel, step in zip(frames.shape[2:], padding, conv.kernel_size, conv.stride, strict=True)
    )
    return height, width
